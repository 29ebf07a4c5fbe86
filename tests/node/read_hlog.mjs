// Reads an interval log as its JavaScript users do. argv: file. Prints one JSON object per interval.
import { readFileSync } from "node:fs";
import { HistogramLogReader } from "hdr-histogram-js";

const reader = new HistogramLogReader(readFileSync(process.argv[2], "utf8"));
for (let h = reader.nextIntervalHistogram(); h != null; h = reader.nextIntervalHistogram()) {
  console.log(JSON.stringify({
    tag: h.tag, start_ms: h.startTimeStampMsec, end_ms: h.endTimeStampMsec, count: h.totalCount,
    p50: h.getValueAtPercentile(50), p99: h.getValueAtPercentile(99), max: h.maxValue,
  }));
}
