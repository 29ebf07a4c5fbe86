/* What a worker does for each request, without an object of Python for each step of it.
 *
 * Four functions, each of which has a twin in Python (native.py names them): without this module everything
 * works, slower. None waits, none keeps anything, none knows what a request is for. What is unusual is left to
 * Python: whole() declines all that is not the plainest answer there is, cut() stops where an event differs.
 *
 * Danger: the buffers are the process's, one for each direction. They are used up before a call returns, and
 * the interpreter's lock is held throughout.
 */
#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#ifndef SCM_TIMESTAMPNS
#define SCM_TIMESTAMPNS 35
#endif

static char received[256 * 1024];
static char outgoing[64 * 1024];
#define SENDFILE_FROM (32 * 1024)

static int arguments(Py_ssize_t given, Py_ssize_t wanted) {
    if (given == wanted) return 1;
    PyErr_Format(PyExc_TypeError, "%zd arguments, not %zd", given, wanted);
    return 0;
}

/* --- sending ---------------------------------------------------------------------------------------------- */

static char *hexadecimal(char *to, uint64_t number) {
    for (int shift = 60; shift >= 0; shift -= 4) *to++ = "0123456789abcdef"[number >> shift & 15];
    return to;
}

PyDoc_STRVAR(send_doc,
"send(sock, head, trace, seq, bodies, file, offset, length) -> bytes that are left to send, -1 for all\n\n"
"``head``, ``seq``, ``trace`` and so on, and ``length`` bytes of ``bodies``, which ``file`` holds, at ``offset``.\n"
"Something is left if the socket takes no more now, or is broken: who goes on sending learns which.");

static PyObject *native_send(PyObject *module, PyObject *const *args, Py_ssize_t given) {
    if (!arguments(given, 8)) return NULL;
    int fd = PyObject_AsFileDescriptor(args[0]);
    uint64_t seq = PyLong_AsUnsignedLongLong(args[3]);
    int file = (int)PyLong_AsLong(args[5]);
    off_t offset = (off_t)PyLong_AsLongLong(args[6]);
    size_t length = (size_t)PyLong_AsSsize_t(args[7]);
    char *head, *trace;
    Py_ssize_t head_size, trace_size;
    if (PyErr_Occurred() || PyBytes_AsStringAndSize(args[1], &head, &head_size) < 0 ||
        PyBytes_AsStringAndSize(args[2], &trace, &trace_size) < 0)
        return NULL;
    if ((size_t)head_size + (size_t)trace_size + 128 > sizeof outgoing - SENDFILE_FROM) return PyLong_FromLong(-1);

    char *end = outgoing;
    memcpy(end, head, (size_t)head_size);
    end = hexadecimal(end + head_size, seq);
    memcpy(end, trace, (size_t)trace_size);
    end = hexadecimal(end + trace_size, seq);
    *end++ = '-';
    end = hexadecimal(end, seq + 1);
    end += sprintf(end, "-01\r\nContent-Length: %zu\r\n\r\n", length);

    int whole = length < SENDFILE_FROM || file < 0;
    if (whole) {
        Py_buffer body;
        if (PyObject_GetBuffer(args[4], &body, PyBUF_SIMPLE) < 0) return NULL;
        int fits = offset >= 0 && (size_t)offset <= (size_t)body.len && length <= (size_t)body.len - (size_t)offset &&
                   length < SENDFILE_FROM;
        if (fits) memcpy(end, (char *)body.buf + offset, length);
        PyBuffer_Release(&body);
        if (!fits) return PyLong_FromLong(-1);
        end += length;
    }
    size_t first = (size_t)(end - outgoing), left = whole ? 0 : length;
    ssize_t sent = send(fd, outgoing, first, MSG_NOSIGNAL | (whole ? 0 : MSG_MORE));
    if (sent < 0) return PyLong_FromLong(-1);
    if ((size_t)sent < first) return PyLong_FromSize_t(first - (size_t)sent + left);
    while (left) {
        ssize_t more = sendfile(fd, file, &offset, left);
        if (more <= 0) break;
        left -= (size_t)more;
    }
    return PyLong_FromSize_t(left);
}

/* --- receiving -------------------------------------------------------------------------------------------- */

PyDoc_STRVAR(receive_doc,
"receive(sock, offset_ns) -> (data, stamp_ns, now_ns)\n\n"
"What one ``recvmsg`` gives; empty at the end of the stream. The stamp is the kernel's less ``offset_ns``, or 0\n"
"if it gave none; now is of the monotonic clock, after. Raises ``OSError``.");

static PyObject *native_receive(PyObject *module, PyObject *const *args, Py_ssize_t given) {
    if (!arguments(given, 2)) return NULL;
    int fd = PyObject_AsFileDescriptor(args[0]);
    long long offset = PyLong_AsLongLong(args[1]);
    if (PyErr_Occurred()) return NULL;
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(2 * sizeof(int64_t))];
    } control;
    struct iovec into = {received, sizeof received};
    struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t n;
    do n = recvmsg(fd, &message, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0) return PyErr_SetFromErrno(PyExc_OSError);
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    long long now = at.tv_sec * 1000000000LL + at.tv_nsec, stamp = 0;
    struct cmsghdr *found = CMSG_FIRSTHDR(&message);
    if (found && found->cmsg_level == SOL_SOCKET && found->cmsg_type == SCM_TIMESTAMPNS) {
        memcpy(&at, CMSG_DATA(found), sizeof at);
        stamp = at.tv_sec * 1000000000LL + at.tv_nsec - offset;
    }
    return Py_BuildValue("(y#LL)", received, (Py_ssize_t)n, stamp, now);
}

/* --- the framing of an answer that came in one piece ------------------------------------------------------ */

static int is_token(unsigned char c) {
    return c > ' ' && c < 127 && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

static int named(const char *name, size_t size, const char *wanted) {
    return strlen(wanted) == size && !strncasecmp(name, wanted, size);
}

struct head {
    const char *type, *timing;
    size_t type_size, timing_size;
    long long length; /* -1: not said */
    int chunked;
};

/* One header: 0 if an answer with it is not for whole(). */
static int take_header(struct head *head, const char *name, size_t size, const char *value, size_t value_size) {
    if (named(name, size, "content-length")) {
        if (head->length >= 0 || !value_size || value_size > 15) return 0;
        head->length = 0;
        for (size_t i = 0; i < value_size; i++) {
            if (value[i] < '0' || value[i] > '9') return 0;
            head->length = head->length * 10 + (value[i] - '0');
        }
    } else if (named(name, size, "transfer-encoding")) {
        if (head->chunked || !named(value, value_size, "chunked")) return 0;
        head->chunked = 1;
    } else if (named(name, size, "content-type")) {
        if (head->type) return 0;
        head->type = value, head->type_size = value_size;
    } else if (named(name, size, "server-timing")) {
        if (head->timing) return 0;
        head->timing = value, head->timing_size = value_size;
    } else if (named(name, size, "connection")) {
        return named(value, value_size, "keep-alive");
    } else if (named(name, size, "content-encoding") || named(name, size, "retry-after") ||
               named(name, size, "proxy-connection") || named(name, size, "upgrade") ||
               named(name, size, "trailer")) {
        return 0;
    }
    return 1;
}

/* Past the empty line that ends the head, or NULL. */
static const char *read_head(const char *at, const char *end, struct head *head) {
    static const char status[] = "HTTP/1.1 200 ";
    if ((size_t)(end - at) < sizeof status - 1 || memcmp(at, status, sizeof status - 1)) return NULL;
    for (at += sizeof status - 1; at < end && *at >= ' ' && *at < 127; at++) {}
    while (end - at >= 2 && at[0] == '\r' && at[1] == '\n') {
        at += 2;
        if (end - at >= 2 && at[0] == '\r' && at[1] == '\n') return at + 2;
        const char *name = at;
        while (at < end && is_token((unsigned char)*at)) at++;
        size_t size = (size_t)(at - name);
        if (!size || at == end || *at++ != ':') return NULL;
        while (at < end && *at == ' ') at++;
        const char *value = at;
        while (at < end && *at >= ' ' && *at < 127) at++;
        size_t value_size = (size_t)(at - value);
        while (value_size && value[value_size - 1] == ' ') value_size--;
        if (!take_header(head, name, size, value, value_size)) return NULL;
    }
    return NULL;
}

static int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The chunks of a body that ends where ``end`` is, without their framing, to ``to``; its size, or -1. */
static Py_ssize_t join_chunks(const char *at, const char *end, char *to) {
    char *start = to;
    for (;;) {
        Py_ssize_t size = 0;
        const char *first = at;
        for (; at < end && digit(*at) >= 0; at++) {
            if (at - first == 7) return -1;
            size = size * 16 + digit(*at);
        }
        if (at == first || end - at < size + 4 || at[0] != '\r' || at[1] != '\n') return -1;
        at += 2;
        memcpy(to, at, (size_t)size);
        to += size, at += size;
        if (at[0] != '\r' || at[1] != '\n') return -1;
        at += 2;
        if (!size) return at == end ? to - start : -1;
    }
}

PyDoc_STRVAR(whole_doc,
"whole(data) -> (content type, Server-Timing, body), or None\n\n"
"``data`` taken as one answer of HTTP/1.1: only if it is exactly one, of status 200, after which the connection\n"
"may be used again, and plain in every part. The body is without its framing.");

static PyObject *native_whole(PyObject *module, PyObject *data) {
    char *start;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(data, &start, &size) < 0) return NULL;
    struct head head = {.length = -1};
    const char *end = start + size, *at = read_head(start, end, &head);
    if (!at || at - start > 64 * 1024 || head.chunked == (head.length >= 0)) Py_RETURN_NONE;
    PyObject *body;
    if (head.chunked) {
        if (end - at > (Py_ssize_t)sizeof received) Py_RETURN_NONE;
        Py_ssize_t joined = join_chunks(at, end, received);
        if (joined < 0) Py_RETURN_NONE;
        body = PyBytes_FromStringAndSize(received, joined);
    } else {
        if (end - at != head.length) Py_RETURN_NONE;
        body = PyBytes_FromStringAndSize(at, head.length);
    }
    return Py_BuildValue("(s#s#N)", head.type ? head.type : "", (Py_ssize_t)head.type_size,
                         head.timing ? head.timing : "", (Py_ssize_t)head.timing_size, body);
}

/* --- events that differ in their text only ---------------------------------------------------------------- */

PyDoc_STRVAR(cut_doc,
"cut(data, head, tail) -> (text, events, bytes)\n\n"
"The events of the form ``head`` text ``tail`` with which ``data`` begins, as long as the text of each stands in\n"
"JSON as it is and is not empty: their text, how many they are, and the bytes that they take.");

static int is_text(const char *bytes, Py_ssize_t size) {
    PyObject *text = PyUnicode_DecodeUTF8(bytes, size, NULL);
    if (!text) PyErr_Clear();
    Py_XDECREF(text);
    return text != NULL;
}

static PyObject *native_cut(PyObject *module, PyObject *const *args, Py_ssize_t given) {
    char *head, *tail;
    Py_ssize_t head_size, tail_size, events = 0, joined = 0;
    Py_buffer data;
    if (!arguments(given, 3) || PyBytes_AsStringAndSize(args[1], &head, &head_size) < 0 ||
        PyBytes_AsStringAndSize(args[2], &tail, &tail_size) < 0 ||
        PyObject_GetBuffer(args[0], &data, PyBUF_SIMPLE) < 0)
        return NULL;
    const char *start = data.buf, *at = start, *end = at + data.len;
    while (end - at > head_size && !memcmp(at, head, (size_t)head_size)) {
        const char *text = at + head_size, *stop = text;
        unsigned char seen = 0;
        for (; stop < end && *stop != '"' && *stop != '\\' && (unsigned char)*stop >= ' '; stop++)
            seen |= (unsigned char)*stop;
        Py_ssize_t length = stop - text;
        if (!length || end - stop < tail_size || memcmp(stop, tail, (size_t)tail_size)) break;
        if (joined + length > (Py_ssize_t)sizeof received || (seen & 0x80 && !is_text(text, length))) break;
        memcpy(received + joined, text, (size_t)length);
        joined += length;
        events++;
        at = stop + tail_size;
    }
    Py_ssize_t taken = at - start;
    PyBuffer_Release(&data);
    return Py_BuildValue("(s#nn)", received, joined, events, taken);
}

/* ---------------------------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    {"send", (PyCFunction)(void (*)(void))native_send, METH_FASTCALL, send_doc},
    {"receive", (PyCFunction)(void (*)(void))native_receive, METH_FASTCALL, receive_doc},
    {"whole", native_whole, METH_O, whole_doc},
    {"cut", (PyCFunction)(void (*)(void))native_cut, METH_FASTCALL, cut_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "mmload._native", .m_size = 0,
                                        .m_methods = methods};

PyMODINIT_FUNC PyInit__native(void) {
    return PyModuleDef_Init(&definition);
}
