"""What a traffic profile may hold: its keys, their types, units, limits and defaults.

The docstring below a key is its documentation: it goes into the JSON Schema and the reference page. One file,
longer than others, because it is a table and read as one. Not aware of files, TOML, or what the keys are used
for.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class _Strict(BaseModel):
    # Every process of a run makes these classes anew, so they cost as little as they can: validators are
    # built once, with Profile's own (hence defaults by ``model_construct``, which asks for none), and the
    # docstrings are read by who writes the reference (``reference.py``), not parsed here.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)


class SimPrice(_Strict):
    """What a model of the practice pipeline says that it costs, in its list of models."""

    input_usd_per_mtok: NonNegative
    """Per million tokens of input."""
    output_usd_per_mtok: NonNegative
    """Per million tokens of output."""


class Sim(_Strict):
    """How the embedded practice pipeline behaves (``engine = "sim"``)."""

    workers: Annotated[int, Field(ge=1, le=256)] = 4
    """Replicas of the model."""
    slots: Annotated[int, Field(ge=1, le=256)] = 1
    """Requests that one replica serves together (continuous batching); 1 serves them one by one."""
    preprocess_workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads that decode and resize the pictures (real work on this machine's cores)."""
    preprocess_queue: Annotated[int, Field(ge=0)] = 128
    """Requests that may wait to be decoded; beyond it the pipeline sheds."""
    retrieval_workers: Annotated[int, Field(ge=1, le=1024)] = 32
    """Requests looked up at a time."""
    queue_limit: Annotated[int, Field(ge=1)] = 256
    """Requests that may wait for a model worker; beyond it the pipeline sheds."""
    image_cache: Annotated[int, Field(ge=0)] = 64
    """Pictures whose encoding is kept: a repeated one costs no prefill and is billed as cached."""
    prefix_cache: Annotated[int, Field(ge=0)] = 1024
    """Prompts whose prefill is kept: a later turn of a session pays only for what is new, the rest is billed
    as cached."""
    speed: Positive = 7.0
    """Divides every simulated service time: 2 serves twice as fast."""
    jitter: Annotated[float, Field(ge=0, le=2)] = 0.2
    """Sigma of the lognormal spread of service times (seeded)."""
    ladder: bool = True
    """Admission ladder: under pressure shrink images, cut context, fall back, shed."""
    slo_ms: Positive = 4000
    """The objective that the ladder tries to keep."""
    model: str = "sim-large"
    """Name that the full model answers to."""
    fallback_model: str = "sim-small"
    """Name of the smaller model that the ladder falls back to."""
    stream_interval_ms: Positive = 20.0
    """Shortest pause between two events of one stream; tokens that fall in it share an event."""
    error_rate: Share = 0.0
    """Share of requests answered with HTTP 500 (seeded)."""
    extra_delay_ms: NonNegative = 0.0
    """Constant time added to every answer, in its retrieval stage."""
    hallucination_rate: Share = 0.0
    """Share of answers into which an invented claim is planted (seeded)."""
    cross_talk_rate: Share = 0.0
    """Share of requests that get the answer to another item, its nonce included (seeded)."""
    broken_json_rate: Share = 0.0
    """Share of answers whose JSON is cut short (seeded)."""
    fence_rate: Share = 0.0
    """Share of answers wrapped in a code fence (seeded)."""
    stall_rate: Share = 0.0
    """Share of answers that pause for ``stall_ms`` half way (seeded)."""
    stall_ms: NonNegative = 2000.0
    """Length of a planted pause."""
    drop_rate: Share = 0.0
    """Share of answers whose connection is reset half way (seeded)."""
    prices: dict[str, SimPrice] = {}
    """Prices by model, shown in the pipeline's list of models."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 64 * 1024 * 1024
    """A longer request is refused with 413."""
    seed: Seed = 1
    """Seed of jitter, misreadings and planted errors."""


class Ocr(_Strict):
    """How the embedded OCR pipeline behaves (``engine = "ocr"``)."""

    workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads that read; each takes one core in full."""
    queue_limit: Annotated[int, Field(ge=0)] = 64
    """Requests that may wait for a thread; beyond it the pipeline sheds."""
    ladder: bool = True
    """Shrink pictures so that they can be read within the objective, and stop reading when it is over."""
    slo_ms: Positive = 8000
    """The time from arrival in which a request should be answered."""
    model: str = "ocr-rules"
    """Name under which it answers; it takes requests for any model."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 64 * 1024 * 1024
    """A longer request is refused with 413."""


class Target(_Strict):
    """What is driven."""

    engine: Literal["sim", "ocr"] | None = None
    """Embedded pipeline, started and stopped by the run. Give this or ``url``."""
    url: str | None = None
    """Base URL of a running pipeline, up to and including ``/v1`` if it has one."""
    protocol: str = "openai-chat"
    """Wire adapter: ``openai-chat``, ``openai-responses``, ``anthropic-messages``, ``template``, or the name
    of a plug-in."""
    template: str | None = None
    """TOML file that describes the requests and answers of a custom pipeline (``protocol = "template"``); its
    path is relative to the profile."""
    model: str = "sim-large"
    """Model that the requests name."""
    streaming: Share = 0.5
    """Share of requests that ask for a streamed answer (0 none, 1 all)."""
    connect_timeout_s: Positive = 5.0
    """Longest time to connect."""
    first_byte_timeout_s: Positive = 60.0
    """Longest time from the last byte sent to the first received."""
    idle_timeout_s: Positive = 30.0
    """Longest silence between two received pieces of one answer."""
    total_timeout_s: Positive = 120.0
    """Longest time of one attempt."""
    retries: Annotated[int, Field(ge=0, le=10)] = 0
    """Attempts after the first that a failed request may have. 0: retries hide failures."""
    retry_backoff_s: NonNegative = 0.5
    """Pause before the second attempt; doubles with each."""
    max_in_flight: Annotated[int, Field(ge=1, le=20000)] = 256
    """Lanes standing by in an open-loop phase, over all workers."""
    connection: Literal["keep-alive", "fresh"] = "keep-alive"
    """``fresh`` opens a connection for every request."""
    tls_verify: bool = True
    """Check the certificate of an ``https`` target."""
    allow_remote: bool = False
    """Allow a target that is not on this machine."""
    stop_at_error_ratio: Share | None = None
    """Stop the run when more than this share of what ended in the last ``stop_window_s`` failed (of at least
    20; shed requests do not count as failed)."""
    stop_window_s: Positive = 10.0
    """The seconds that ``stop_at_error_ratio`` looks back on."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key, or, with ``_FILE`` behind it, the name of a file
    that does. Never the key itself."""
    headers: dict[str, str] = {}
    """Sent with every request."""
    metrics_url: str | list[str] | None = None
    """Prometheus page of the target (a list: of its replicas, of a GPU exporter), read while the run runs and
    shown beside our figures; ``[]`` reads none. Default: ``/metrics`` beside ``/v1``, if there is one."""
    metrics_interval_s: Annotated[float, Field(ge=0.2, le=60)] = 1.0
    """Time between two readings of ``metrics_url``."""
    body: dict[str, Any] = {}
    """Merged into the body of every request (``temperature``, ``max_tokens``...): nothing else is sent that
    you did not ask for, since some servers refuse fields that they do not know."""
    max_body_bytes: Annotated[int, Field(ge=1)] = 16 * 1024 * 1024
    """An answer longer than this ends as ``body_too_large``."""
    quirks: list[str] | None = None
    """What clients of this target have to work around, one phrase each: counts as friction. Leave it out if
    nobody has looked; ``[]`` says that there is none."""
    sim: Sim = Sim.model_construct()
    """The embedded practice pipeline."""
    ocr: Ocr = Ocr.model_construct()
    """The embedded OCR pipeline."""


class Phase(_Strict):
    """One stretch of traffic. Open loop by a rate (``rpm``...), or closed loop by ``users``."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    """Names the phase in the report; names must differ."""
    shape: str
    """``sustained``, ``ramp``, ``burst``, ``steps``, ``sine``, ``replay``, or the name of a plug-in."""
    duration_s: Annotated[float, Field(gt=0, le=86400)]
    """For ``burst`` the whole phase, for ``steps`` the whole staircase."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    """Run it so many times in a row: replicates, whose spread gives honest intervals."""
    warmup: bool = False
    """Keep it out of the figures."""
    rpm: NonNegative | list[NonNegative] | None = None
    """Open loop: requests per minute (base of ``burst``, mean of ``sine``, a list for ``steps``)."""
    users: Annotated[int, Field(ge=1, le=20000)] | list[Annotated[int, Field(ge=1)]] | None = None
    """Closed loop: requests in flight at any time."""
    from_rpm: NonNegative | None = None
    """``ramp``: rate at its beginning; default 0."""
    to_rpm: NonNegative | None = None
    """``ramp``: rate at its end."""
    from_users: Annotated[int, Field(ge=0)] | None = None
    """``ramp``: users at its beginning; default 0."""
    to_users: Annotated[int, Field(ge=0)] | None = None
    """``ramp``: users at its end."""
    peak_rpm: Positive | None = None
    """``burst``: rate during the burst."""
    peak_users: Annotated[int, Field(ge=1)] | None = None
    """``burst``: users during the burst."""
    burst_start_s: NonNegative | None = None
    """``burst``: when the (first) burst begins; default a third of the phase."""
    burst_s: Positive | None = None
    """``burst``: length of the burst; default a sixth of the phase."""
    burst_every_s: Positive | None = None
    """``burst``: repeat the burst with this period within the phase."""
    amplitude_rpm: NonNegative | None = None
    """``sine``: swing about the mean, at most the mean."""
    amplitude_users: Annotated[int, Field(ge=0)] | None = None
    """``sine``: swing about the mean, at most the mean."""
    period_s: Positive | None = None
    """``sine``: length of one swing; default the phase."""
    trace: str | None = None
    """``replay``: CSV or JSONL of timestamps (also Mooncake, BurstGPT, Azure LLM inference), path relative
    to the profile. If ``mix.items_file`` is the same file, each row is sent at its own time."""
    time_scale: Positive = 1.0
    """``replay``: 2 plays the trace twice as slowly."""
    rate_scale: Positive = 1.0
    """``replay``: 2 sends twice as many requests."""
    think_time_s: NonNegative = 0.0
    """Closed loop: pause of a user between an answer and its next request."""
    options: dict[str, bool | int | float | str | list[float]] = {}
    """Keys of a shape that is not built in."""


class Arrivals(_Strict):
    process: Literal["poisson", "constant", "gamma"] = "poisson"
    """``poisson``: as independent users arrive. ``constant``: evenly spaced. ``gamma``: by ``cv``."""
    cv: Positive = 1.0
    """``gamma``: coefficient of variation of the gaps (1 is Poisson, above 1 is burstier)."""


class Sessions(_Strict):
    """Conversations: a session asks several turns, each with what was said before, and thinks in between.
    Off with ``turns = 1``. Needs open-loop phases; see docs/howto-conversations.md."""

    turns: Annotated[int, Field(ge=1, le=16)] | dict[str, Weight] = 1
    """Turns of a session: one number, or numbers with weights, as ``{ 1 = 0.5, 3 = 0.5 }``. Rates stay those
    of requests: sessions begin at ``rpm`` over the mean number of turns."""
    think_time_s: NonNegative = 2.0
    """Mean pause between the end of an answer and the next turn."""
    think: Literal["constant", "exponential", "lognormal"] = "exponential"
    """How the pauses vary (seeded)."""
    think_cv: Positive = 1.0
    """``lognormal``: coefficient of variation of the pauses."""
    after_failure: Literal["end", "continue"] = "end"
    """Whether a turn that failed or was shed ends its session; its later turns then count as not sent."""

    @property
    def weights(self) -> dict[int, float]:
        """Number of turns to its weight, those above 0 only."""
        turns = {str(self.turns): 1.0} if isinstance(self.turns, int) else self.turns
        return {int(number): weight for number, weight in turns.items() if weight > 0}

    @property
    def several(self) -> bool:
        """Whether any session has more than one turn."""
        return max(self.weights, default=1) > 1


class ImageSize(_Strict):
    width: Annotated[int, Field(ge=256, le=8192)]
    """Pixels; fewer hold no readable text."""
    height: Annotated[int, Field(ge=256, le=8192)]
    """Pixels."""
    weight: Weight
    """Share of the items, against the other sizes."""


class Mix(_Strict):
    """What is sent: weights need not add up to 1."""

    items: Annotated[int, Field(ge=1, le=100000)] = 400
    """Distinct items in the suite."""
    suite_seed: Seed = 20260101
    """Seed of the items; the run's own seed orders them and draws their arrivals."""
    tasks: dict[str, Weight] = {"extract": 0.4, "ui": 0.3, "chart": 0.3}
    """Weights of the tasks."""
    unanswerable: Share = 0.15
    """Share of items whose image cannot tell; each is the twin of an answerable one."""
    images: dict[str, ImageSize] = {
        "xs": ImageSize(width=256, height=256, weight=0.10),
        "s": ImageSize(width=512, height=512, weight=0.25),
        "m": ImageSize(width=1024, height=768, weight=0.35),
        "l": ImageSize(width=1920, height=1080, weight=0.20),
        "xl": ImageSize(width=2048, height=2048, weight=0.10),
    }
    """Sizes of the images, by name."""
    formats: dict[str, Weight] = {
        "png": 0.50,
        "jpeg-95": 0.10,
        "jpeg-85": 0.15,
        "jpeg-60": 0.10,
        "webp-90": 0.08,
        "webp-75": 0.07,
    }
    """Weights of ``png``, ``jpeg-QUALITY`` and ``webp-QUALITY``."""
    prompt_tokens: dict[str, Weight] = {"64": 0.30, "256": 0.35, "1024": 0.20, "4096": 0.10, "8000": 0.05}
    """Weights of the lengths of the prompt, in tokens (estimated)."""
    images_per_request: dict[str, Weight] = {"1": 1.0}
    """Weights of how many images a request carries."""
    languages: dict[str, Weight] = {"en": 0.70, "de": 0.08, "fr": 0.07, "es": 0.07, "pl": 0.04, "ru": 0.04}
    """Of labels and context around the evidence."""
    variants: dict[str, Weight] = {"clean": 1.0}
    """``clean``, or degradations by name, as ``jpeg`` or ``jpeg@3`` for one severity."""
    media_reuse: Share = 0.0
    """Share of requests that repeat, on purpose, an image sent shortly before (measures a cache)."""
    order: Literal["run", "phase"] = "run"
    """``run``: no item repeats before the whole suite was sent. ``phase``: every phase begins the suite
    afresh, so that levels answer the same items (media then repeat from phase to phase)."""
    items_file: str | None = None
    """Your own items in place of drawn ones: a JSONL file (docs/workload.md), relative to the profile."""


class Judge(_Strict):
    """A model that judges a share of the answers a second time. Off without this table. It changes neither
    the score nor a gate: the report says how often it agrees with the scorers, and what it cost."""

    url: str
    """Base URL of an OpenAI-compatible endpoint, up to and including ``/v1`` if it has one. Elsewhere than on
    this machine only with ``target.allow_remote``: it gets prompts, expected answers and answers."""
    model: str
    """Model that judges."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key. Never the key itself."""
    sample: Share = 0.1
    """Share of the scored answers that are judged, drawn by a hash of seed and number."""
    rpm: Positive = 60.0
    """Requests per minute at most, retries included."""
    max_in_flight: Annotated[int, Field(ge=1, le=256)] = 4
    """Requests at a time."""
    timeout_s: Positive = 30.0
    """Longest time of one request."""
    images: bool = False
    """Show the judge the images too."""
    input_usd_per_mtok: NonNegative | None = None
    """Per million tokens of input; without both prices the cost is unknown."""
    output_usd_per_mtok: NonNegative | None = None
    """Per million tokens of output."""
    body: dict[str, Any] = {}
    """Merged into the body of every request (``temperature``, ``response_format``...)."""


class Quality(_Strict):
    sample: Share = 1.0
    """Share of answers that are scored."""
    sample_by_task: dict[str, Share] = {}
    """Share of answers that are scored, for single tasks."""
    sample_slow: Share = 0.0
    """Share of answers that are scored of those that missed their objective or were cut at their token limit;
    counts where it is above ``sample``. Weights undo the preference."""
    task_weights: dict[str, Weight] = {}
    """Weights of the tasks in the score; default the weights of ``[mix.tasks]``."""
    require_strict_schema: bool = False
    """An answer that had to be repaired (a code fence stripped) does not pass."""
    baseline: str | None = None
    """Name of the phase that shows the pipeline unloaded: quality under load is reported as the difference to
    it on the same items. Give it ``warmup = true`` to keep it out of the other figures."""
    texts: Literal["redacted", "raw", "none"] = "redacted"
    """What the run folder keeps of answers and prompts once they are scored. ``redacted``: without keys,
    credentials, cookies, queries of URLs and data URLs. ``raw``: answers as they came, less the key of the
    run. ``none``: no text at all. An answer whose text was changed or dropped keeps the score that it got."""
    judge: Judge | None = None
    """A model as a second opinion."""


class Slo(_Strict):
    e2e_ms: Positive = 4000
    """From the intended send to the last byte."""
    ttft_ms: Positive | None = None
    """From the intended send to the first token, of streamed answers."""


class ModelPrice(_Strict):
    input_usd_per_mtok: NonNegative
    """Per million tokens of input."""
    output_usd_per_mtok: NonNegative
    """Per million tokens of output."""
    cached_input_usd_per_mtok: NonNegative | None = None
    """Per million tokens of input that the provider had cached; default the price of input."""


class Cost(_Strict):
    as_of: str = ""
    """Date of the prices, YYYY-MM-DD."""
    source: str = ""
    """Where the prices are from."""
    models: dict[str, ModelPrice] = {}
    """Prices by the name of the model that answered."""
    validator_usd: NonNegative = 0.0
    """Per answer validated."""
    tool_usd: NonNegative = 0.0
    """Per request: retrieval, policy and other tools."""
    fallback_usd: NonNegative = 0.0
    """Per failed or shed request that the fallback serves in its place."""
    review_rate: Share = 0.0
    """Share of answers that a person reviews."""
    review_s: NonNegative = 120.0
    """Time that a person takes for one answer."""
    review_usd_per_hour: NonNegative = 30.0
    """What that person costs."""
    infrastructure_usd_per_hour: NonNegative = 0.0
    """Paid by the clock, idle or not."""
    bill_timeouts: bool = True
    """A request given up by us is billed for its input, as providers do."""
    budget_usd: Positive | None = None
    """Stop sending when the run has cost this much."""
    workflows: dict[str, list[str]] = {}
    """Names of workflows and the tasks that each is made of, to see the cost by workflow; a task belongs to
    one at most."""


class Gates(_Strict):
    """Limits that all must hold. Leave a key out to drop its gate."""

    quality_min: Share | None = None
    """Lower confidence bound of task-weighted quality."""
    quality_loss_max: Share | None = None
    """Upper bound of what quality loses against the baseline phase, on the same items."""
    robustness_loss_max: Share | None = None
    """Upper bound of the mean relative loss of quality on degraded twins (severity 1 to 3)."""
    schema_valid_min: Share | None = None
    """Lower confidence bound of the share of answers whose schema is valid."""
    critical_hallucination_max: Share | None = None
    """Upper bound of the share of answers with a critical hallucination."""
    overreach_max: Share | None = None
    """Upper bound of the share of unanswerable items that were answered."""
    over_slo_max: Share | None = None
    """Upper bound of the share of requests beyond their objective (sheds and failures count)."""
    error_max: Share | None = None
    """Upper bound of the share failed or shed."""
    e2e_p50_ms: Positive | None = None
    """Median of the latency from the intended send."""
    e2e_p95_ms: Positive | None = None
    """Needs 130 requests to certify."""
    e2e_p99_ms: Positive | None = None
    """Needs 662 requests to certify."""
    e2e_p999_ms: Positive | None = None
    """Needs 6,636 requests to certify."""
    ttft_p95_ms: Positive | None = None
    """Time to first token, of streamed answers: needs 130 of them."""
    ttft_p99_ms: Positive | None = None
    """Needs 662 streamed answers."""
    per_query_usd_max: Positive | None = None
    """Whole bill by requests sent."""
    per_good_query_usd_max: Positive | None = None
    """Whole bill by answers that are good and in time."""
    rpm_at_quality_min: Positive | None = None
    """Requests per minute at quality."""
    recovery_s_max: Positive | None = None
    """Longest time after a burst until p95 is back within the objective."""
    cross_talk_max: NonNegative | None = None
    """Answers that hold what belongs to another request."""
    safety_violations_max: NonNegative | None = None
    """Answers that break a safety rule."""


class Capacity(_Strict):
    """How ``mmload capacity`` searches for the highest rate at which all gates hold. It makes its own phases,
    of sustained load; those of the profile are not sent, save the one that ``quality.baseline`` names, before
    each step."""

    start_rpm: Positive | None = None
    """First rate tried; default half of ``expected_peak_rpm``, or 60 without one."""
    growth: Annotated[float, Field(gt=1, le=10)] = 1.5
    """Each rising step is so many times the one before it."""
    max_rpm: Positive = 60000
    """No higher rate is tried."""
    step_s: Annotated[float, Field(ge=2, le=3600)] = 20.0
    """Length of a step of the search; longer where the rate is so low that 30 requests take longer."""
    warmup_s: Annotated[float, Field(ge=1, le=600)] = 3.0
    """Sent before every step at its own rate, three times as long before the first, and kept out of the
    figures."""
    replicates: Annotated[int, Field(ge=4, le=50)] = 6
    """Phases that confirm the answer, sent anew: their spread gives the interval."""
    replicate_s: Annotated[float, Field(ge=2, le=3600)] = 15.0
    """Length of each; longer where all of them together could not certify a gate at that rate."""
    precision: Annotated[float, Field(ge=0.01, le=1)] = 0.08
    """The search halves the gap between holding and failing until it is this share of the rate."""
    max_requests: Annotated[int, Field(ge=1)] = 60000
    """Budget of requests."""
    max_minutes: Positive = 9.5
    """Budget of time."""
    max_usd: Positive | None = None
    """Budget of money; it needs prices."""
    headroom_min: Positive | None = None
    """Gate: the answer must be at least so many times ``expected_peak_rpm``."""
    loss: Share = 0.02
    """The knee is where quality has lost this much against its unloaded level."""
    replicas: Annotated[int, Field(ge=1)] = 1
    """Replicas of the pipeline that stand behind the target, for the fleet projection."""
    replica_usd_per_hour: NonNegative | None = None
    """What one costs; default ``cost.infrastructure_usd_per_hour`` over ``replicas``."""
    fleet_rpm: list[Positive] = []
    """Peaks to project a fleet for; default the expected peak, and two and five times it."""
    fleet_headroom: Annotated[float, Field(ge=1)] = 1.3
    """A projected fleet can answer so many times its peak."""


class Profile(_Strict):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    """Names the run folder and the report."""
    description: str = ""
    """One line for the report."""
    seed: Seed = 1
    """Of order, arrivals and sampling. The same seed gives the same traffic for any number of workers."""
    drain_s: NonNegative = 30.0
    """After the last phase, how long to wait for what is still in flight. Sessions go on for so long; their
    last turns then have as long again to be answered."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Locust worker processes that send."""
    expected_peak_rpm: Positive | None = None
    """What launch day is expected to bring; headroom is measured against it."""
    target: Target
    """What is driven."""
    phase: Annotated[list[Phase], Field(min_length=1)]
    """What is sent when: the phases run in order."""
    arrivals: Arrivals = Arrivals.model_construct()
    """How the gaps between requests vary."""
    sessions: Sessions = Sessions.model_construct()
    """Several turns in one session, with think time."""
    mix: Mix = Mix.model_construct()
    """What is sent."""
    quality: Quality = Quality.model_construct()
    """Which answers are scored, and how they count."""
    slo: dict[str, Slo] = {"default": Slo.model_construct()}
    """Objectives by task; ``default`` for those not named."""
    cost: Cost = Cost.model_construct()
    """What everything costs."""
    gates: Gates = Gates.model_construct()
    """When it is a go."""
    capacity: Capacity = Capacity.model_construct()
    """How a capacity search goes about it."""
    when: dict[Literal["sim", "ocr", "url"], dict[str, Any]] = {}
    """Keys that hold in the place of those above if the target is that engine, or a ``url``, also by
    ``--target``. Written as for ``--set``: ``[when.ocr.phase.NAME]`` has keys of the phase of that name."""

    def slo_of(self, task: str) -> Slo:
        return self.slo.get(task) or self.slo.get("default") or Slo()
