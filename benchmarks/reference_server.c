/* A reference server that keeps its own truth. Independent of mmload: one file of C, one thread, epoll.
 *
 *   cc -O2 -o reference_server reference_server.c
 *   reference_server [--port N] [--truth FILE] [--freeze PERIOD_MS:STOP_MS] [--url-file FILE] [--discard read|drop]
 *
 * The first element of the path chooses the answer:
 *   /small    a chat completion of about 300 bytes
 *   /one      64 server-sent chunks in one write
 *   /many     64 server-sent chunks, one write each
 *   /paced    first token 50 ms after the request is whole, then 20 more, 10 ms apart
 *   /delay    the small answer, 20 ms after the request is whole
 * What follows (/v1/chat/completions) is ignored. Request bodies of any size are read into memory and forgotten, as a
 * server must that wants them; --discard drop makes the kernel forget them unread (MSG_TRUNC), which no real server can
 * do, but which is the least that a server can cost.
 *
 * At SIGTERM it prints one JSON line: requests, connections, bytes, and the answers by tenth of a second.
 * Truth: one 72-byte record per request (struct truth, below), CLOCK_REALTIME nanoseconds, dumped to FILE at
 * SIGTERM. Received stamps are the kernel's (SO_TIMESTAMPNS), so the server's own delay in reading is not in them.
 * Freeze: from every wall-clock instant divisible by PERIOD the process stops serving for STOP (it sleeps; the
 * kernel still accepts connections and bytes for it). Wall-clock alignment makes the truth computable from the
 * outside: an arrival at phase u < STOP of the period waits STOP - u.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 16384
#define MAX_FD 65536
#define MAX_TRUTH (8u << 20)
#define CHUNKS 64
#define PACED_TOKENS 21
#define SLOT (100 * MS)
#define MAX_SLOTS 36000
#define SPIN (200 * 1000LL)
#define SINK (256 * 1024)
#define MS 1000000LL

struct truth {
    uint8_t trace_id[16]; /* of the traceparent header; zero without one */
    int64_t rx_first;     /* kernel: first bytes of the request */
    int64_t rx_last;      /* kernel: last bytes of the request */
    int64_t seen;         /* user clock: the request was read whole */
    int64_t first_write;  /* user clock, just before the first write of the answer */
    int64_t last_write;   /* user clock, just before the last write of the answer */
    uint32_t connection;
    uint32_t mode;
    uint64_t body_bytes;
};

enum mode { SMALL, ONE, MANY, PACED, DELAY, MODES };
static const char *const MODE_NAMES[MODES] = {"small", "one", "many", "paced", "delay"};

struct part { const char *data; size_t size; int64_t after_ns; };
struct answer { struct part *parts; int count; };
static struct answer answers[MODES];

struct conn {
    int fd, used, part, in_body, answering, want_write;
    uint32_t id;
    size_t part_done;
    uint64_t body_left, body_total;
    enum mode mode;
    struct truth now;
    char head[HEAD_MAX];
};

struct timer { int64_t due; int fd; uint32_t id; };
static struct timer *heap;
static int heap_size, heap_room;
static struct conn *conns[MAX_FD];
static struct truth *truths;
static uint64_t truth_count, request_count, connection_count, byte_count;
static uint32_t slots[MAX_SLOTS]; /* answers by tenth of a second: throughput as the server saw it */
static int64_t started_ns;
static int ep, keep_truth, drop_unread;
static char sink[SINK];
static volatile sig_atomic_t stop;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what) { perror(what); exit(1); }
static void on_signal(int number) { (void)number; stop = 1; }

/* ---- timers: a binary heap of answers that are to go on later ---- */

static void timer_push(int64_t due, int fd, uint32_t id) {
    if (heap_size == heap_room) {
        heap_room = heap_room ? heap_room * 2 : 1024;
        heap = realloc(heap, (size_t)heap_room * sizeof *heap);
        if (!heap) die("realloc");
    }
    int i = heap_size++;
    while (i && heap[(i - 1) / 2].due > due) { heap[i] = heap[(i - 1) / 2]; i = (i - 1) / 2; }
    heap[i] = (struct timer){due, fd, id};
}

static struct timer timer_pop(void) {
    struct timer top = heap[0], last = heap[--heap_size];
    int i = 0;
    for (;;) {
        int child = 2 * i + 1;
        if (child >= heap_size) break;
        if (child + 1 < heap_size && heap[child + 1].due < heap[child].due) child++;
        if (heap[child].due >= last.due) break;
        heap[i] = heap[child];
        i = child;
    }
    if (heap_size) heap[i] = last;
    return top;
}

/* ---- answers, made once ---- */

static char *format_chunk(const char *content, int last) {
    char event[1024], *chunk;
    int n = snprintf(event, sizeof event,
        "data: {\"id\":\"chatcmpl-reference\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,"
        "\"model\":\"reference\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"finish_reason\":null}]}\n\n",
        content);
    if (last)
        n += snprintf(event + n, sizeof event - (size_t)n,
            "data: {\"id\":\"chatcmpl-reference\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,"
            "\"model\":\"reference\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
            "\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\ndata: [DONE]\n\n",
            CHUNKS, 100 + CHUNKS);
    if (asprintf(&chunk, "%x\r\n%s\r\n%s", n, event, last ? "0\r\n\r\n" : "") < 0) die("asprintf");
    return chunk;
}

static const char STREAM_HEAD[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";

static struct answer format_stream(int chunks, int in_one_write, int64_t first_ns, int64_t gap_ns) {
    struct part *parts = calloc((size_t)chunks, sizeof *parts);
    char *all = calloc(1, 1 << 20);
    if (!parts || !all) die("calloc");
    for (int i = 0; i < chunks; i++) {
        char *text = format_chunk(i ? " token" : "token", i == chunks - 1);
        if (i == 0) {
            char *with_head;
            if (asprintf(&with_head, "%s%s", STREAM_HEAD, text) < 0) die("asprintf");
            text = with_head;
        }
        parts[i] = (struct part){text, strlen(text), i ? gap_ns : first_ns};
        strcat(all, text);
    }
    if (!in_one_write) return (struct answer){parts, chunks};
    parts[0] = (struct part){all, strlen(all), first_ns};
    return (struct answer){parts, 1};
}

static struct answer format_small(int64_t after_ns) {
    static const char BODY[] =
        "{\"id\":\"chatcmpl-reference\",\"object\":\"chat.completion\",\"created\":1767225600,\"model\":\"reference\","
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"forty-two\"},\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":3,\"total_tokens\":103}}";
    struct part *part = calloc(1, sizeof *part);
    char *text;
    if (!part || asprintf(&text, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                          sizeof BODY - 1, BODY) < 0) die("format_small");
    *part = (struct part){text, strlen(text), after_ns};
    return (struct answer){part, 1};
}

/* ---- one connection ---- */

static void conn_close(struct conn *c) {
    close(c->fd);
    conns[c->fd] = NULL;
    free(c);
}

static void watch(struct conn *c, int write_too) {
    if (c->want_write == write_too) return;
    struct epoll_event e = {.events = EPOLLIN | (write_too ? (uint32_t)EPOLLOUT : 0), .data.fd = c->fd};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
    c->want_write = write_too;
}

static void answered(struct conn *c) {
    request_count++;
    int64_t slot = (now_ns() - started_ns) / SLOT;
    if (slot >= 0 && slot < MAX_SLOTS) slots[slot]++;
    if (keep_truth && truth_count < MAX_TRUTH) {
        c->now.connection = c->id;
        c->now.mode = c->mode;
        c->now.body_bytes = c->body_total;
        truths[truth_count++] = c->now;
    }
    memset(&c->now, 0, sizeof c->now);
    c->answering = 0;
}

/* Writes what is due of the answer; 0 if the connection is gone. */
static int go_on(struct conn *c, int64_t due) {
    struct answer *a = &answers[c->mode];
    while (c->part < a->count) {
        struct part *p = &a->parts[c->part];
        if (c->part_done == 0) {
            if (p->after_ns && due == 0) return 1;
            int64_t t = keep_truth ? now_ns() : 0;
            if (c->part == 0) c->now.first_write = t;
            c->now.last_write = t;
        }
        ssize_t n = send(c->fd, p->data + c->part_done, p->size - c->part_done, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR) { conn_close(c); return 0; }
            watch(c, 1);
            return 1;
        }
        c->part_done += (size_t)n;
        if (c->part_done < p->size) continue;
        c->part_done = 0;
        c->part++;
        if (c->part < a->count && a->parts[c->part].after_ns) {
            /* absolute, from the instant at which the part before was due: no drift */
            timer_push(due + a->parts[c->part].after_ns, c->fd, c->id);
            due = 0;
        }
    }
    watch(c, 0);
    answered(c);
    return 1;
}

static int start_answer(struct conn *c) {
    c->answering = 1;
    c->part = 0;
    c->part_done = 0;
    c->now.seen = now_ns();
    int64_t after = answers[c->mode].parts[0].after_ns;
    if (!after) return go_on(c, 0);
    timer_push((c->now.rx_last ? c->now.rx_last : c->now.seen) + after, c->fd, c->id);
    return 1;
}

static int hex(int ch) { return ch <= '9' ? ch - '0' : (ch | 32) - 'a' + 10; }

static void parse_head(struct conn *c, const char *end) {
    const char *path = memchr(c->head, ' ', (size_t)(end - c->head));
    c->mode = SMALL;
    if (path)
        for (int m = 0; m < MODES; m++)
            if (!strncmp(path + 2, MODE_NAMES[m], strlen(MODE_NAMES[m]))) c->mode = (enum mode)m;
    c->body_left = 0;
    const char *line = c->head;
    while ((line = memchr(line, '\n', (size_t)(end - line))) && ++line < end) {
        if ((*line | 32) == 'c' && !strncasecmp(line, "content-length:", 15)) {
            c->body_left = strtoull(line + 15, NULL, 10);
        } else if ((*line | 32) == 't' && !strncasecmp(line, "traceparent:", 12)) {
            const char *v = line + 12;
            while (*v == ' ') v++;
            if (end - v > 35)
                for (int i = 0; i < 16; i++)
                    c->now.trace_id[i] = (uint8_t)(hex(v[3 + 2 * i]) << 4 | hex(v[4 + 2 * i]));
        }
    }
    c->body_total = c->body_left;
}

static ssize_t receive(struct conn *c, void *to, size_t room, int flags) {
    char control[64];
    struct iovec iov = {to, room};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(c->fd, &m, flags);
    int stamped = 0;
    if (n > 0) {
        byte_count += (uint64_t)n;
        for (struct cmsghdr *h = keep_truth ? CMSG_FIRSTHDR(&m) : NULL; h; h = CMSG_NXTHDR(&m, h))
            if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_TIMESTAMPNS) {
                struct timespec t;
                memcpy(&t, CMSG_DATA(h), sizeof t);
                c->now.rx_last = t.tv_sec * 1000000000LL + t.tv_nsec;
                stamped = 1;
            }
        /* What came before the listener had set the option carries no stamp. */
        if (keep_truth && !stamped) c->now.rx_last = now_ns();
        if (!c->now.rx_first) c->now.rx_first = c->now.rx_last;
    }
    return n;
}

/* Reads what has arrived. */
static void on_readable(struct conn *c) {
    for (;;) {
        if (c->answering && c->used) return; /* a pipelined request waits its turn */
        ssize_t n;
        if (c->in_body) {
            if (drop_unread) n = receive(c, NULL, c->body_left, MSG_TRUNC);
            else n = receive(c, sink, c->body_left < SINK ? c->body_left : SINK, 0);
        } else {
            n = receive(c, c->head + c->used, (size_t)(HEAD_MAX - c->used), 0);
        }
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) { conn_close(c); return; }
        if (n < 0) return;
        if (c->in_body) {
            c->body_left -= (uint64_t)n;
            if (c->body_left) continue;
            c->in_body = 0;
            if (!start_answer(c)) return;
            return;
        }
        c->used += (int)n;
        char *end = memmem(c->head, (size_t)c->used, "\r\n\r\n", 4);
        if (!end) {
            if (c->used == HEAD_MAX) { conn_close(c); return; }
            continue;
        }
        parse_head(c, end + 2);
        uint64_t have = (uint64_t)(c->used - (end + 4 - c->head));
        c->used = 0;
        if (have < c->body_left) { c->body_left -= have; c->in_body = 1; continue; }
        c->body_left = 0;
        if (!start_answer(c)) return;
        return;
    }
}

static void on_accept(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
        if (fd < 0) return;
        if (fd >= MAX_FD) { close(fd); continue; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (keep_truth) setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
        struct conn *c = calloc(1, sizeof *c);
        if (!c) die("calloc");
        c->fd = fd;
        c->id = (uint32_t)++connection_count;
        conns[fd] = c;
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    }
}

static void run_timers(void) {
    int64_t now = now_ns();
    while (heap_size && heap[0].due <= now) {
        struct timer t = timer_pop();
        struct conn *c = conns[t.fd];
        if (c && c->id == t.id && c->answering) go_on(c, t.due);
    }
}

static void wait_out_freeze(int64_t period, int64_t stop_ns) {
    int64_t now = now_ns(), since = now % period;
    if (since >= stop_ns) return;
    int64_t until = now - since + stop_ns;
    struct timespec t = {until / 1000000000LL, until % 1000000000LL};
    while (!stop && clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL) == EINTR) {}
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 65535)) die("listen");
    return fd;
}

static void announce(int listener, const char *url_file) {
    struct sockaddr_in a;
    socklen_t n = sizeof a;
    getsockname(listener, (struct sockaddr *)&a, &n);
    printf("{\"port\": %d, \"pid\": %d}\n", ntohs(a.sin_port), getpid());
    fflush(stdout);
    if (!url_file) return;
    FILE *f = fopen(url_file, "w");
    if (!f) die(url_file);
    fprintf(f, "http://127.0.0.1:%d\n", ntohs(a.sin_port));
    fclose(f);
}

static void serve(int listener, int64_t period, int64_t stop_ns) {
    struct epoll_event events[512], e = {.events = EPOLLIN, .data.fd = listener};
    ep = epoll_create1(0);
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
    int64_t busy_until = 0;
    while (!stop) {
        int64_t wait = 200 * MS, now = now_ns();
        if (heap_size && heap[0].due - now < wait) wait = heap[0].due > now ? heap[0].due - now : 0;
        if (period && period - now % period < wait) wait = period - now % period;
        /* A sleeping server costs whoever sends to it a wake-up of the other core (8 us in a virtual machine), so it
         * looks again for a moment before it sleeps. */
        if (now < busy_until) wait = 0;
        struct timespec t = {0, wait};
        int n = epoll_pwait2(ep, events, 512, &t, NULL);
        if (n > 0) busy_until = now_ns() + SPIN;
        if (period) wait_out_freeze(period, stop_ns);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) { on_accept(listener); continue; }
            if (conns[fd] && events[i].events & EPOLLOUT && conns[fd]->answering) go_on(conns[fd], now_ns());
            if (conns[fd] && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(conns[fd]);
        }
        if (heap_size) run_timers();
    }
}

int main(int argc, char **argv) {
    int port = 0;
    int64_t period = 0, stop_ns = 0;
    const char *truth_file = NULL, *url_file = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--port")) port = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--truth")) truth_file = argv[i + 1];
        else if (!strcmp(argv[i], "--url-file")) url_file = argv[i + 1];
        else if (!strcmp(argv[i], "--discard")) drop_unread = !strcmp(argv[i + 1], "drop");
        else if (!strcmp(argv[i], "--freeze")) {
            long a, b;
            if (sscanf(argv[i + 1], "%ld:%ld", &a, &b) != 2) { fprintf(stderr, "--freeze PERIOD_MS:STOP_MS\n"); return 2; }
            period = a * MS;
            stop_ns = b * MS;
        } else { fprintf(stderr, "unknown option %s\n", argv[i]); return 2; }
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prctl(PR_SET_TIMERSLACK, 1000);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    struct sigaction act = {.sa_handler = on_signal};
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    started_ns = now_ns();
    keep_truth = truth_file != NULL;
    truths = mmap(NULL, MAX_TRUTH * sizeof *truths, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (truths == MAP_FAILED) die("mmap");
    answers[SMALL] = format_small(0);
    answers[DELAY] = format_small(20 * MS);
    answers[ONE] = format_stream(CHUNKS, 1, 0, 0);
    answers[MANY] = format_stream(CHUNKS, 0, 0, 0);
    answers[PACED] = format_stream(PACED_TOKENS, 0, 50 * MS, 10 * MS);
    int listener = listen_on(port);
    announce(listener, url_file);
    serve(listener, period, stop_ns);
    if (truth_file) {
        FILE *f = fopen(truth_file, "wb");
        if (!f || fwrite(truths, sizeof *truths, truth_count, f) != truth_count || fclose(f)) die(truth_file);
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("{\"requests\": %lu, \"connections\": %lu, \"bytes\": %lu, \"truths\": %lu, \"cpu_s\": %.3f, \"tenths\": [",
           request_count, connection_count, byte_count, truth_count,
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec));
    int64_t last = (now_ns() - started_ns) / SLOT;
    for (int64_t i = 0; i < last && i < MAX_SLOTS; i++) printf(i ? ",%u" : "%u", slots[i]);
    puts("]}");
    return 0;
}
