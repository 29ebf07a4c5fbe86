"""A real pipeline without a language model: reads the pixels that arrive, and answers by rules.

The scorecard's "OCR and rules" baseline. Needs the extra ``mmload[ocr]``; knows no truth and no suite.
"""
