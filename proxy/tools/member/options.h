/* castgate-member's command line: what the simulated members are and which faults they have. */
#ifndef CG_TOOLS_MEMBER_OPTIONS_H
#define CG_TOOLS_MEMBER_OPTIONS_H

#include "wire/addr.h"

enum {
    CG_MEMBER_GROUPS_MAX = 8,
    CG_MEMBER_RESOURCES_MAX = 64,
    CG_MEMBER_ENTRIES_MAX = 512, /* of the directory */
    CG_MEMBER_LINKS_MAX = 10000, /* made up ones */
    CG_MEMBER_COUNT_MAX = 65000,
    CG_MEMBER_TEXT_MAX = 65536, /* bytes of a --resource's text */
    CG_MEMBER_BIG_MAX = 65536,  /* bytes of /big */
    CG_MEMBER_BIG_LINE = 64,
};

/* Ways to answer wrongly (--misbehave). They change answers to requests, never acknowledgements or notifications. */
enum cg_misbehave {
    CG_MISBEHAVE_NONE,
    CG_MISBEHAVE_GARBAGE,     /* random bytes, or the answer with some bytes changed or its end cut off */
    CG_MISBEHAVE_OVERSIZED,   /* a payload of 60 000 bytes in one datagram */
    CG_MISBEHAVE_REPEAT,      /* :N, the answer N times, each with a fresh Message ID */
    CG_MISBEHAVE_CON,         /* Confirmable answers to Non-confirmable requests, retransmitted until acknowledged */
    CG_MISBEHAVE_WRONG_TOKEN, /* a random token of the same length */
    CG_MISBEHAVE_LATE,        /* :MS, this much after the answer was due */
    CG_MISBEHAVE_REQUEST_MID, /* Non-confirmable answers with the request's Message ID, as libcoap's servers do */
    /* Protected members only: */
    CG_MISBEHAVE_FLIP,        /* one bit of the protected payload is another */
    CG_MISBEHAVE_TRUNCATE,    /* the protected payload lacks its last byte */
    CG_MISBEHAVE_UNPROTECTED, /* the answer without any protection */
    CG_MISBEHAVE_STRANGER,    /* under a kid that nobody has */
    CG_MISBEHAVE_IMPOSTOR,    /* under the next member's kid, with the own private key */
    CG_MISBEHAVE_REPLAY,      /* to every request but the first, what the one before was answered */
    CG_MISBEHAVE_REPEAT_PIV,  /* two answers, different ones, with the same Partial IV */
};

struct cg_member_resource {
    struct cg_slice path; /* without the leading '/' */
    const char *text;
};

/* Strings point into argv. */
struct cg_member_options {
    struct cg_addr groups[CG_MEMBER_GROUPS_MAX];
    size_t groups_len;
    struct cg_addr bind; /* the first member's address, with its port */
    bool has_bind;       /* it was said */
    uint32_t count;
    const char *interface;
    uint32_t delay_min_ms;
    uint32_t delay_max_ms;
    double loss;
    double duplicate;
    const char *keys;    /* a group's file, or one member's; NULL: plain */
    bool may_be_shared;  /* the file may be readable by others */
    const char *numbers; /* where their sequence numbers are kept; NULL: beside the keys */
    bool pairwise;       /* how protected members answer, and how they send alerts */
    bool has_mode;       /* it was said */
    bool window_lost;
    bool reorder;
    bool answer_errors;
    bool forgets_messages; /* no message is known to have come before */
    bool has_seed;
    uint64_t seed;
    uint32_t fail_count; /* the last so many members fail every request */
    uint8_t fail_code;
    bool has_max_age;
    uint32_t max_age;
    uint64_t changes_us; /* after which each light changes by itself; 0: never */
    uint32_t big_size;   /* bytes of /big, whole lines */
    enum cg_misbehave misbehave;
    uint32_t misbehave_number;
    struct cg_member_resource resources[CG_MEMBER_RESOURCES_MAX];
    size_t resources_len;
    const char *alert;      /* a URI: no members are simulated, one sends this; NULL: none */
    const char *alert_from; /* Sender IDs, in hexadecimal; NULL: the only one that it can be */
    const char *alert_to;
    const char *alert_body; /* text; NULL: none */
    uint8_t alert_method;
    uint32_t alert_replays;
    bool alert_flip;
    uint32_t links;    /* made up, in /.well-known/core */
    bool is_directory; /* a small Resource Directory, with these entries, a link each */
    const char *entries[CG_MEMBER_ENTRIES_MAX];
    size_t entries_len;
    const char *security_groups[CG_MEMBER_RESOURCES_MAX]; /* links in /.well-known/core */
    size_t security_groups_len;
    bool help;
};

#define CG_MEMBER_ERROR_MAX 512

/* CG_OK, or CG_E_BAD_REQUEST with a sentence in `error`. With `help` set nothing else was checked. */
int cg_member_options_parse(struct cg_member_options *options, int argc, const char *const argv[],
                            char error[CG_MEMBER_ERROR_MAX]) CG_MUST_CHECK;

/* The own address and port of the member with this index (0 is the first): IPv4 counts addresses, IPv6 ports. */
struct cg_addr cg_member_address(const struct cg_member_options *options, uint32_t index);

extern const char cg_member_usage[];

#endif
