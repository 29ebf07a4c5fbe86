"""A neighbour on the generator's core: busy for a share of every 10 ms.    busy.py SHARE"""

import sys
import time

share = float(sys.argv[1])
while True:
    began = time.monotonic()
    while time.monotonic() < began + 0.010 * share:
        pass
    time.sleep(max(0.0, began + 0.010 - time.monotonic()))
