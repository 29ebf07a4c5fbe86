-- wrk: POST a body of BODY_BYTES, as an OpenAI client would.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = string.rep("x", tonumber(os.getenv("BODY_BYTES") or "300"))
