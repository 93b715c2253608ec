/* The plugin ABI of castgate, version 0: encoders of the reply. libc only; nothing of the gateway's own headers.
 *
 * A plugin exports one object: `const struct castgate_plugin castgate_plugin`. Host services come in as a table with
 * every call; only byte slices and an opaque call cross the border. Everything that the host hands out is borrowed and
 * valid until the operation returns. Operations run on the gateway's loop: they must not block. While the major version
 * is 0, a plugin fits only a host of the same major and minor version. */
#ifndef CASTGATE_PLUGIN_H
#define CASTGATE_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CASTGATE_PLUGIN_MAJOR  0
#define CASTGATE_PLUGIN_MINOR  6
#define CASTGATE_PLUGIN_SYMBOL "castgate_plugin"

struct castgate_slice {
    const void *data; /* not NUL-terminated; may be NULL when len is 0 */
    size_t len;       /* bytes */
};

enum castgate_kind { CASTGATE_ENCODER = 1 };
enum castgate_via {
    CASTGATE_VIA_MULTICAST = 0,
    CASTGATE_VIA_UNICAST = 1,
    CASTGATE_VIA_CACHE = 2,
    CASTGATE_VIA_NEXT_HOP = 3, /* another gateway has handed it on */
};
enum castgate_verified { CASTGATE_VERIFIED_NONE = 0, CASTGATE_VERIFIED_SOURCE = 2 };

#define CASTGATE_FORMAT_NONE UINT32_MAX

#define CASTGATE_NO_MEMORY (-2) /* what an operation returns that found no memory */

/* One member's answer. */
struct castgate_answer {
    struct castgate_slice member;     /* configured name, or the address as text where there is none */
    struct castgate_slice from;       /* "127.0.0.11:5683"; empty when anonymised */
    struct castgate_slice reply_from; /* the CRI of GCP's Reply-From, CBOR; empty when anonymised */
    struct castgate_slice kid;        /* empty when there is none: has_kid tells an empty one from none */
    struct castgate_slice media_type; /* HTTP Content-Type for `format`; empty without payload format */
    struct castgate_slice etag;       /* of the answer, raw; empty when absent */
    struct castgate_slice options;    /* encoded CoAP options (RFC 7252 §3.1), well-formed */
    struct castgate_slice payload;
    uint32_t format;  /* CoAP Content-Format or CASTGATE_FORMAT_NONE; 10001 (application/oscore) when the
                         member protected the payload for the client, with option 9 among `options` */
    uint32_t max_age; /* seconds; 60 when the answer says nothing (RFC 7252 §5.10.5) */
    uint32_t ms;      /* from the group request to the arrival */
    uint16_t status;  /* HTTP status (RFC 8075 §7) */
    uint8_t code;     /* CoAP code, class * 32 + detail */
    uint8_t verified; /* enum castgate_verified */
    uint8_t via;      /* enum castgate_via */
    bool has_kid;
    bool has_max_age;     /* the answer carried Max-Age */
    bool is_notification; /* the client observes, and further answers of this member follow when what it tells of
                             changes, each in the place of the one before; else none does (RFC 7641) */
};

/* A member that was expected and did not answer. */
struct castgate_missing {
    struct castgate_slice member;
    struct castgate_slice from;
    const char *cause; /* what is known of why: "never-reached", "late", "challenged", "stale-key", "wrong-key",
                          "evicted", "refused", "answer-lost", "kernel-drop", "not-listening", "asleep", "unknown" */
};

/* An answer that was refused. */
struct castgate_rejected {
    struct castgate_slice from;
    struct castgate_slice kid;
    struct castgate_slice gid;
    struct castgate_slice reason;
    struct castgate_slice diagnostic; /* what it says itself, UTF-8, where it was an unprotected error */
    uint8_t code;                     /* CoAP code, where it was not protected; 0: none */
};

struct castgate_summary {
    uint32_t answered;     /* members with an answer, failed ones included */
    uint32_t failed;       /* of those, with a 4.xx or 5.xx code */
    uint32_t missing;      /* expected members without an answer */
    uint32_t late;         /* answers after the end of collecting, known so far */
    uint32_t duplicates;   /* further answers of members that had answered */
    uint32_t rejected;     /* answers refused, by verification or by a limit */
    uint32_t expected;     /* members, where those that are configured are all there are; 0 when unknown */
    uint32_t kernel_drops; /* datagrams that the kernel dropped meanwhile, of all groups; 0 until the end */
    uint32_t ms;           /* from the group request to the end of collecting */
    uint32_t joined_ms;   /* the group request was somebody else's and out this long already, at most: answers may be so
                             much older than the client's request; 0: it went out after that */
    const char *ended_by; /* "all", "quorum", "count", "deadline", "client", "limit"; "" while collecting goes on */
};

/* Its figures by name, in the order in which replies list them; OPTIONAL only where it is not 0. */
#define CASTGATE_SUMMARY_FIGURES(COUNT, TEXT, OPTIONAL)                                                                \
    COUNT(answered)                                                                                                    \
    COUNT(failed)                                                                                                      \
    COUNT(missing)                                                                                                     \
    COUNT(late)                                                                                                        \
    COUNT(duplicates)                                                                                                  \
    COUNT(rejected)                                                                                                    \
    COUNT(expected)                                                                                                    \
    COUNT(kernel_drops)                                                                                                \
    TEXT(ended_by)                                                                                                     \
    COUNT(ms)                                                                                                          \
    OPTIONAL(joined_ms)

struct castgate_call; /* opaque: one reply being encoded */

/* Services of the host. A later minor version adds at the end only. */
struct castgate_host {
    size_t size;                                                   /* sizeof of the host's struct */
    struct castgate_slice (*exchange)(struct castgate_call *call); /* the exchange's ID, printable ASCII */
    struct castgate_slice (*mapping)(struct castgate_call *call);  /* the mapping's name */
    const struct castgate_summary *(*summary)(struct castgate_call *call);
    /* Item `index` into *out; false behind the last one. Calling in ascending order is cheapest. */
    bool (*answer)(struct castgate_call *call, size_t index, struct castgate_answer *out);
    bool (*missing)(struct castgate_call *call, size_t index, struct castgate_missing *out);
    bool (*rejected)(struct castgate_call *call, size_t index, struct castgate_rejected *out);
    void (*random)(struct castgate_call *call, void *to, size_t len); /* from a CSPRNG */
    /* The reply's Content-Type, when it needs more than media_type says (a boundary, say). At most 255 bytes. */
    void (*content_type)(struct castgate_call *call, struct castgate_slice text);
    /* Appends to the reply. False when its limit is reached: give up and return -1. */
    bool (*write)(struct castgate_call *call, struct castgate_slice bytes);
};

/* Either `encode`, called once when collecting has ended (behind `head`, where there is one), or the four operations of
 * a stream: `begin` when the group request is out, `answer` for each answer that is accepted (again when a member sends
 * another one, however slow the client is), `idle` when nothing was written for 15 seconds,
 * `end` with the final summary. In a stream `summary`, `missing` and `rejected` tell the state so far, and `answer` of
 * the host is not to be used. Each returns 0, or CASTGATE_NO_MEMORY or -1 to give up: the client then gets 503 or 500,
 * or the stream ends. What is NULL here is not offered. */
struct castgate_encoder {
    const char *media_type; /* what Accept is compared with, lower case, no parameters */
    bool empty_is_204;      /* encode only: when nobody answered the host sends 204 and does not call it */
    int (*encode)(const struct castgate_host *host, struct castgate_call *call);
    int (*begin)(const struct castgate_host *host, struct castgate_call *call);
    int (*answer)(const struct castgate_host *host, struct castgate_call *call, const struct castgate_answer *answer);
    int (*idle)(const struct castgate_host *host, struct castgate_call *call);
    int (*end)(const struct castgate_host *host, struct castgate_call *call);
    /* For whole replies. What `encode` writes is common to all who get the same answers: it asks for neither `exchange`
     * nor `summary`, and the host may give the same bytes to several. What is one exchange's own `head` writes, ahead
     * of them. */
    bool encode_is_common;
    int (*head)(const struct castgate_host *host, struct castgate_call *call);
    /* For streams. Whether a client whose latest event had this ID has had all of its stream: it then gets 204, and
     * nothing is asked of the group again. Pure; NULL: never. */
    bool (*has_ended)(struct castgate_slice last_event_id);
    /* For whole replies with empty_is_204. Where nobody answered and the host makes an error of that (504), what
     * `encode` writes is the error's body; else it is a problem document. */
    bool tells_silence;
};

struct castgate_plugin {
    uint16_t major; /* CASTGATE_PLUGIN_MAJOR and MINOR of the header it was built with */
    uint16_t minor;
    uint32_t kind;    /* enum castgate_kind */
    size_t size;      /* sizeof (struct castgate_plugin) */
    const char *name; /* [a-z0-9][a-z0-9._-]{0,63}, unique among the loaded plugins */
    union {
        const struct castgate_encoder *encoder; /* kind CASTGATE_ENCODER */
    } ops;
};

#endif
