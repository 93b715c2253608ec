/* The settings as the core uses them: an immutable snapshot, built by settings/, shared by reference count. A reload
 * makes a new snapshot; running exchanges keep theirs to the end. Everything a snapshot points to lives in its arena,
 * or in those of the snapshots that it is derived from (model/derive.h) and keeps.
 */
#ifndef CG_MODEL_CONFIG_H
#define CG_MODEL_CONFIG_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/index.h"
#include "model/follows.h"
#include "model/hosts.h"
#include "model/member.h"
#include "model/reliance.h"
#include "model/visits.h"
#include "wire/prefix.h"
#include "wire/uri.h"
#include "castgate/plugin.h"

struct cg_heards;
struct cg_idle_items;
struct cg_protector;
struct cg_reaction;
struct cg_stats;

#define CG_NAME_MAX 64 /* names of things: [a-z0-9][a-z0-9._-]{0,63} */

/* Methods as a set: bit (1 << code), codes 1 (GET) to 7 (iPATCH). */
#define CG_METHOD_BIT(code) (1u << (code))
#define CG_METHODS_SAFE     (CG_METHOD_BIT(CG_GET) | CG_METHOD_BIT(CG_FETCH))
#define CG_METHODS_IDEMPOTENT                                                                                          \
    (CG_METHODS_SAFE | CG_METHOD_BIT(CG_PUT) | CG_METHOD_BIT(CG_DELETE) | CG_METHOD_BIT(CG_IPATCH))
#define CG_METHODS_ALL 0xfeu
/* The outer methods of protected requests (RFC 8613 §4.2). */
#define CG_METHODS_RELAYED (CG_METHOD_BIT(CG_POST) | CG_METHOD_BIT(CG_FETCH))

#define CG_INTERFACE_MAX    127 /* bytes of an interface's alternative name; its own has 15 at the most */
#define CG_SEND_BUDGETS_MAX 16

#define CG_PSK_IDENTITY_MAX 128 /* bytes (RFC 4279 §5.3) */
#define CG_PSK_MIN          16  /* bytes */
#define CG_PSK_MAX          64

/* A pre-shared key of DTLS, for one client. */
struct cg_psk {
    const char *identity; /* UTF-8; NULL: the client has no key */
    const char *key_file;
    struct cg_slice key; /* in config->psk_keys */
};

/* An OSCORE context that a client shares with the gateway (RFC 8613 §3). */
struct cg_client_oscore {
    const char *file;             /* NULL: the client has none */
    struct cg_slice recipient_id; /* the client's Sender ID, which leads to one client; may be empty */
    struct cg_slice sender_id;    /* the gateway's */
    struct cg_slice id_context;
    struct cg_slice master_secret, master_salt; /* in config->psk_keys */
    bool has_id_context, is_sha512;
    int alg_aead;
    uint8_t digest[32]; /* of all of it: whether it is still the same */
};

#define CG_PASSES_MAX    64 /* of a client, each of tokens and certificates */
#define CG_PASS_FOR_EVER INT64_MAX

/* What a client shows to be known: a bearer token or a certificate. */
struct cg_pass {
    uint8_t sha256[32]; /* of the token's bytes, of the certificate's DER form */
    int64_t expires_s;  /* Unix time from which it is worth nothing, or CG_PASS_FOR_EVER */
    const char *id;     /* a stored token's name; NULL: the client's own settings have it */
};

/* What a client may do on the admin side; each may what those before it may. */
enum cg_role {
    CG_ROLE_NOBODY,   /* nothing */
    CG_ROLE_VIEWER,   /* reads */
    CG_ROLE_OPERATOR, /* and tries */
    CG_ROLE_ADMIN,    /* and changes */
};
extern const char *const cg_role_names[]; /* "nobody", "viewer", "operator", "admin" */

/* A client that may send requests. How it proves itself is the fronts' business; this is what they find it by. */
struct cg_client {
    const char *name;
    enum cg_role role;
    struct cg_pass *tokens;
    size_t token_count;
    struct cg_pass *certificates;
    size_t certificate_count;
    struct cg_psk psk;
    struct cg_client_oscore oscore;
    uint32_t number; /* in its snapshot: cg_config_client */
    bool is_stored;  /* not of the settings file: model/item.h */
};

struct cg_grant {
    const struct cg_client *client; /* NULL: anonymous */
    uint32_t methods;               /* CG_METHOD_BIT set */
};

enum cg_finish_rule { CG_FINISH_DEADLINE, CG_FINISH_ALL, CG_FINISH_QUORUM, CG_FINISH_COUNT };

struct cg_finish {
    enum cg_finish_rule rule;
    double quorum;  /* of the known members, 0 < quorum <= 1 */
    uint32_t count; /* answers */
};

/* What a host name stands for at the moment. The one thing a snapshot points to that changes and outlives it:
 * io/names.h. */
struct cg_resolved {
    struct cg_addr addr; /* port 0; family NONE: the name stands for nothing that it is to */
    char why[160];       /* then: why not, for people */
};

struct ssl_ctx_st;

#define CG_CREDENTIALS_KINDS 2

/* How this gateway shows a next hop who it is, and knows it: by a key that both have, or by certificates. */
struct cg_credentials {
    const char *name;
    struct cg_psk psk;       /* its key is in the contexts alone */
    const char *certificate; /* files; NULL: it shows none */
    const char *key;
    const char *ca; /* who may vouch for the next hop; NULL: there is a pre-shared key */
    int64_t ends_s; /* its certificate's end, Unix time; 0: unknown. Set before the gateway takes the snapshot in */
    struct ssl_ctx_st *contexts[CG_CREDENTIALS_KINDS]; /* what was made of them: hops/credentials.h */
    UT_hash_handle hh;
};

/* Another gateway, which is asked in a group's place (GCP §8). */
struct cg_next_hop {
    const char *uri;                          /* normalised text; NULL: there is none */
    const char *origin;                       /* of it: scheme, host and port */
    enum cg_scheme scheme;                    /* how it is asked */
    const char *host;                         /* whom its certificate is to name: a name, or an address as text */
    const char *credentials_name;             /* NULL: it is asked without protection; */
    const struct cg_credentials *credentials; /* else these */
    struct cg_addr addr;                      /* unicast; of a host name the port only: see cg_next_hop_addr */
    const struct cg_resolved *resolved;       /* of a host name, as a target's */
    uint32_t round_trip_s; /* between it and us at the worst: so much less than we has it for its members */
};

/* One group that a mapping's requests go to. */
struct cg_target {
    const char *uri;       /* the group URI, or of a next hop's own path its URI; normalised text */
    const char *group_uri; /* the same, where it is a group's; else NULL */
    struct cg_addr group;  /* multicast address and port; for a host name the port only: see cg_target_group */
    struct cg_slice host;  /* Uri-Host to send, decoded and lower case: empty for a literal */
    const struct cg_resolved *resolved; /* of a host name, where nobody else is asked; set before the gateway takes the
                                           snapshot in (io/names.c) */
    struct cg_slice path;               /* raw, of the URI */
    struct cg_slice query;              /* raw */
    const char *interface;              /* name; NULL: the only multicast-capable interface that is not loopback */
    uint8_t hops;                       /* TTL or hop limit, 1 to 255 */
    struct cg_next_hop next_hop;        /* by which the group is reached, or whose path stands for it */
};

static inline bool cg_target_is_hop(const struct cg_target *target) { return target->next_hop.uri != NULL; }
/* Where it is says the port (legs/port.h); else its address does. */
static inline bool cg_next_hop_is_to_be_found(const struct cg_next_hop *next_hop) {
    return next_hop->scheme != CG_SCHEME_COAP;
}

struct cg_security_group; /* settings/security_group.h */

/* One entry of "security_groups". The keys are the snapshot's until whoever makes a protector of them has taken them.
 */
struct cg_security_keys {
    const char *name;
    const char *file;
    const char *next_file;               /* of a rekey that is prepared; NULL: none */
    const char *stored_keys;             /* names of items; NULL: it is of the settings file */
    const char *stored_next;             /* NULL: none */
    uint32_t overhead;                   /* bytes that protection adds to a group request, at the least */
    bool has_keys;                       /* they were read, whoever has them now */
    bool has_group_mode;                 /* one of its epochs does */
    bool warm;                           /* its members are met before they have to act: jobs/warming.h */
    struct cg_security_group *keys;      /* NULL: taken */
    struct cg_security_group *next_keys; /* NULL: none, or taken */
    struct cg_members members;           /* its mappings' */
    UT_hash_handle hh;
};

/* Whom a mapping's path stands for (GCP, "Reverse-Proxies"): the group alone, or each of its members, too, below it:
 * model/stand_in.h. */
enum cg_stand_in { CG_STAND_IN_GROUP, CG_STAND_IN_MEMBERS };

/* What it is to a client that sent no Multicast-Timeout when nobody answers. */
enum cg_silence { CG_SILENCE_IS_AN_ERROR, CG_SILENCE_IS_FINE };

enum cg_security { CG_SECURITY_NONE, CG_SECURITY_RELAY, CG_SECURITY_GROUP };

/* Whether transcripts have a mapping's payloads. */
enum cg_record_payloads { CG_RECORD_AS_SETTINGS, CG_RECORD_PAYLOADS, CG_RECORD_LENGTHS };

struct cg_mapping {
    const char *name;
    const char *path; /* "/floor3": no trailing slash; "" is the root */
    const char *host; /* lower case; NULL: any */
    struct cg_target *targets;
    size_t target_count; /* at least 1 */
    enum cg_security security;
    const struct cg_security_keys *keys;    /* when security is GROUP */
    const char *check_signature;            /* file, when security is RELAY; NULL: nothing is checked */
    struct cg_security_group *checker_keys; /* of that file, until taken */
    struct cg_protector *protector;         /* set before the gateway takes the snapshot in (app/protectors_plan.c) */
    uint32_t methods;                       /* CG_METHOD_BIT set: what passes at all */
    bool unsafe_methods;                    /* "security": "none" with more than GET and FETCH */
    double leisure;                         /* seconds, DEFAULT_LEISURE of the group's members (RFC 10020 §3.6.1) */
    bool has_timeout;
    uint64_t timeout_us;     /* for clients that send no Multicast-Timeout */
    uint64_t max_timeout_us; /* above: refused */
    enum cg_silence silence;
    const char *default_content_type; /* of bodies that come without, or with curl's; NULL: none */
    struct cg_finish finish;
    bool complete;             /* "membership": "complete" */
    struct cg_member *members; /* configured */
    size_t member_count;
    const struct cg_members *roster; /* the same with what finds one of them: cg_config_index; NULL: there are none */
    bool repair_unicast;             /* ask silent members by unicast */
    bool repair_probe;               /* ask them why they are silent, where nothing else asks them */
    bool repair_large_requests;      /* what is too large for a multicast goes to each configured member by unicast */
    uint16_t block_size; /* bytes: members are to answer in blocks no larger (RFC 7959); 0: nothing is said */
    bool forward;        /* reachable through /hc/ */
    bool cache;          /* answers are kept, and given again while they are fresh: rounds/cache.h */
    bool aggregate;      /* CoAP clients may ask for one response with all answers (multipart-core) */
    bool anonymise;
    enum cg_record_payloads record_payloads;
    enum cg_stand_in stand_in;
    uint32_t max_answers;
    uint32_t requests_per_minute; /* per client; 0: no budget */
    struct cg_grant *grants;
    size_t grant_count;
    struct cg_stats *stats; /* the gateway's, by name: NULL until a request needs it; outlives the snapshot */
    uint64_t edition;       /* rounds/cache_editions.h; 0 until a request needs it */
    uint32_t number;        /* in its snapshot: cg_config_mapping */
    bool enabled;           /* false: it is among idle_mappings */
    bool is_stored;         /* not of the settings file: model/item.h */
    bool is_unsaved;        /* somebody tries it: it is in no settings, and nothing is learnt by it */
    uint32_t place;         /* in that file's list */
};

/* Whose answers a request waits for: `only`, where it names one member, else all that the mapping expects. */
static inline const struct cg_member *cg_mapping_awaited(const struct cg_mapping *mapping, const struct cg_member *only,
                                                         size_t *count) {
    *count = only != NULL ? 1 : mapping->member_count;
    return only != NULL ? only : mapping->members;
}

static inline uint64_t cg_mapping_leisure_us(const struct cg_mapping *mapping) {
    return (uint64_t)(mapping->leisure * 1e6);
}

struct cg_limits {
    uint32_t exchanges;            /* running at once */
    uint32_t exchanges_per_client; /* running at once */
    size_t exchange_memory;        /* bytes an exchange */
    size_t total_memory;           /* bytes of answers and replies in all */
    size_t request_body;           /* bytes */
    size_t answer;                 /* bytes of one answer's payload, after blocks */
    size_t stream_queue;           /* bytes that a stream's reader has not taken yet */
    size_t cache;                  /* bytes of answers that are kept to be given again */
    uint32_t observers;            /* exchanges that go on because their clients observe */
};

/* Whose payloads transcripts have. */
enum cg_recorded_payloads { CG_PAYLOADS_NONE, CG_PAYLOADS_PLAIN, CG_PAYLOADS_ALL };

/* What is kept of exchanges for people to look at: recorder/. */
struct cg_recorder_settings {
    size_t memory; /* bytes; 0: nothing is kept */
    enum cg_recorded_payloads payloads;
};

struct cg_option_numbers { /* those of drafts: GCP, draft-ietf-core-href, draft-ietf-core-uri-path-abbrev */
    uint16_t multicast_timeout;
    uint16_t reply_from;
    uint16_t group_etag;
    uint16_t uri_path_abbrev;
    uint16_t proxy_cri;
    uint16_t proxy_scheme_number;
};

/* At most so many request datagrams by that interface in any time of so many seconds. */
struct cg_send_budget_settings {
    const char *interface;
    uint32_t requests;
    uint32_t seconds;
};

struct cg_group_settings {
    const char *interface;  /* NULL: the only one */
    struct cg_addr address; /* source address; family NONE: the interface's */
    uint16_t port;          /* source port; 0: any */
    uint8_t hops;
    uint32_t receive_buffer;    /* bytes */
    uint32_t nstart;            /* outstanding group requests per group (RFC 10020 §3.6) */
    uint64_t ack_timeout_us;    /* ACK_TIMEOUT towards an endpoint whose round trip is not measured (RFC 7252 §4.8) */
    uint32_t probing_rate;      /* bytes per second towards a group that is silent (RFC 10020 §3.6) */
    uint32_t probing_burst;     /* bytes that may go out at once before that average binds */
    uint32_t observe_renewal_s; /* an observation is registered anew at its group after so long at the latest */
    struct cg_prefix *prefixes; /* routed ranges that members may be in; see ping.h */
    size_t prefix_count;
    uint32_t frame_size;                          /* R44: warn when a request exceeds it; 0: never */
    struct cg_send_budget_settings *send_budgets; /* each interface once */
    size_t send_budget_count;
};

/* A listener of a front. */
struct cg_listen {
    struct cg_addr addr;
    const char *text; /* as written */
    bool loopback;
    bool insecure; /* "insecure": true: anonymous clients off loopback */
};

struct cg_tls_settings {
    const char *certificate; /* file names, absolute; NULL: no TLS */
    const char *key;
    const char *client_ca; /* may be NULL */
    int64_t ends_s;        /* the certificate's end, Unix time; 0: unknown. Set before the gateway takes the snapshot in
                              (app/certificates.c) */
};

struct cg_http_settings {
    struct cg_listen *listen;
    size_t listen_count;
    struct cg_tls_settings tls;
    const char **hosts; /* further names for Host, lower case, with or without port */
    size_t host_count;
    const char **origins; /* whose pages may send requests, as browsers write them */
    size_t origin_count;
    struct cg_prefix *trusted_proxies; /* who may say for whom a request comes */
    size_t trusted_proxy_count;
    bool strict;       /* Multicast-Timeout is required always, as GCP says */
    bool coap_payload; /* application/coap-payload;cf=N is taken from clients (RFC 8075 §6.2) */
};

struct cg_coap_listen {
    struct cg_listen listen; /* its text is the URI, with the port */
    enum cg_scheme scheme;
    bool is_default; /* nobody wrote it, so that nobody need have it: then not being able to is no failure */
};

/* By UDP or DTLS, where members and other gateways are, too; else by TCP or TLS, whose ports are others. */
static inline bool cg_coap_is_by_datagrams(const struct cg_coap_listen *listen) {
    return listen->scheme == CG_SCHEME_COAP || listen->scheme == CG_SCHEME_COAPS;
}

static inline bool cg_coap_is_secured(const struct cg_coap_listen *listen) {
    return listen->scheme == CG_SCHEME_COAPS || listen->scheme == CG_SCHEME_COAPS_TCP;
}

struct cg_coap_settings {
    struct cg_coap_listen *listen;
    size_t listen_count;
    struct cg_tls_settings
        tls; /* of the coaps and coaps+tcp listeners; without a certificate they take pre-shared keys only */
    const char **all_nodes; /* interfaces, alternative names too, where All CoAP Nodes are listened for */
    size_t all_nodes_count;
};

/* A security group whose members may send requests of their own. */
struct cg_alert_group {
    const struct cg_security_keys *keys; /* its name and members */
    struct cg_server *server;            /* set before the gateway takes the snapshot in (app/protectors_plan.c) */
};

/* Where members' own requests come in: model/alert.h. */
struct cg_alert_settings {
    struct cg_coap_listen *listen;
    size_t listen_count;
    struct cg_alert_group *groups;
    size_t group_count;
    uint32_t window; /* seconds in which reports are gathered before they are handed on; 0: each at once */
};

/* How a snapshot came about. Zeroed: it was read whole. */
struct cg_derivation {
    bool is_derived;
    struct cg_config *from;  /* whose memory it shares: a reference */
    struct cg_mapping **own; /* mappings that it does not share */
    size_t own_count, own_max;
    size_t whole_bytes; /* of the snapshot that was read whole */
    size_t since_bytes; /* of those between that one and this */
    unsigned since;     /* how many these are */
};

struct cg_config {
    unsigned references;   /* all of one thread */
    struct cg_arena arena; /* holds everything, the snapshot itself apart, that is not of another one */
    struct cg_derivation derivation;
    void (*bury)(
        struct cg_config *config); /* calls cg_config_free some time, on any thread; NULL: it is freed at once */
    void *undertaker;              /* for whoever set `bury` */
    struct cg_http_settings http;
    struct cg_http_settings admin; /* same shape; what is behind `hosts` is unused */
    struct cg_group_settings group;
    struct cg_coap_settings coap;
    struct cg_alert_settings alerts;
    struct cg_option_numbers options;
    struct cg_limits limits;
    struct cg_recorder_settings recorder;
    const char **file_keys; /* JSON pointers of the settings that the file itself says: settings/file_keys.c */
    size_t file_key_count;
    const char *state;      /* folder */
    const char *seal_key;   /* file; NULL: a systemd credential, or none */
    uint32_t history_days;  /* of revisions and audit; 0: for ever */
    uint32_t sequence_rate; /* numbers a second that a Sender Key may use on average */
    bool require_clock;     /* nothing is sent under a key while the clock is behind its last use */
    bool key_files_may_be_shared;
    struct cg_security_keys *security_groups;
    size_t security_group_count;
    struct cg_security_keys *security_groups_by_name;  /* uthash head */
    void (*free_keys)(struct cg_security_group *keys); /* set where there are any */
    struct cg_credentials *credentials;                /* towards next hops */
    size_t credentials_count;
    struct cg_credentials *credentials_by_name;                   /* uthash head */
    void (*free_credentials)(struct cg_credentials *credentials); /* what was made of them; set where anything was */
    const char *plugin_folder;                                    /* where plugins are looked for by name */
    const char **plugins;                                         /* file names in it, to load at the start */
    size_t plugin_count;
    const char **after_rekey; /* a program and its arguments, which hears of rekeys; none where there are none */
    size_t after_rekey_count;
    uint32_t hook_seconds;      /* that such a program may take */
    struct cg_client *clients;  /* those that were read with the file; cg_config_client knows what became of them */
    size_t client_count;        /* numbers that were given; some may stand for nobody any more */
    struct cg_trie new_clients; /* by number, instead of those above; NULL: it has gone */
    struct cg_index clients_by_name, clients_by_token, clients_by_certificate, clients_by_psk,
        clients_by_oscore;                /* their numbers */
    uint8_t *psk_keys;                    /* locked memory with the clients' shared secrets; NULL: there are none */
    void (*free_psk_keys)(uint8_t *keys); /* wipes them; set where there are any */
    struct cg_mapping *mappings;          /* the same three: cg_config_mapping */
    size_t mapping_count;
    struct cg_trie new_mappings;
    size_t mappings_gone;             /* numbers that stand for none any more */
    struct cg_mapping *idle_mappings; /* which the settings file says to be out of use */
    size_t idle_mapping_count;
    bool takes_anonymous;                   /* a data listener does */
    const struct cg_idle_items *idle_items; /* stored ones that are not in use: settings/stored.h; NULL: none */
    struct cg_reaction *reactions;          /* model/reaction.h; in their order */
    size_t reaction_count;
    struct cg_index mappings_by_path, mappings_by_name; /* their numbers: model/mapping.c */
    size_t longest_path;                                /* bytes; none is longer */
    struct cg_index mappings_by_group;                  /* those with "forward": model/forward.c */
    size_t longest_group;                               /* bytes; none is longer */
    size_t forwards;                                    /* how many these are */
    struct cg_follows follows;
    const struct cg_heards *heards;  /* who was heard lately: the gateway's that took the snapshot in; NULL: nobody */
    struct cg_reliances reliances;   /* what mappings need to send */
    struct cg_warming_visits visits; /* where security groups are warmed */
    struct cg_hosts hosts;           /* of all mappings' members */
};

/* A snapshot in which nothing is set (what is the default of a setting, settings/ knows), with one reference. NULL when
 * out of memory. */
struct cg_config *cg_config_new(void);
struct cg_config *cg_config_ref(struct cg_config *config);
/* The last one buries it. NULL is fine. */
void cg_config_unref(struct cg_config *config);
void cg_config_free(struct cg_config *config); /* which nobody refers to any more */

/* After the arrays are filled, once: numbers the entries and builds the look-up tables (of the mappings' members, too).
 * Names, paths per host, hashes and member addresses must be unique already. CG_E_NO_MEMORY: the
 * snapshot is good for cg_config_unref only. */
int cg_config_index(struct cg_config *config) CG_MUST_CHECK;
/* Of it, what a mapping needs to find its members. False: no memory. */
bool cg_config_index_members(struct cg_config *config, struct cg_mapping *mapping) CG_MUST_CHECK;
/* Of it, what makes cg_config_client_by_name work, for whoever needs that earlier. False: no memory. */
bool cg_config_index_clients(struct cg_config *config) CG_MUST_CHECK;
/* In a derived snapshot, the client is found from now on; its number is set. False: no memory. */
bool cg_config_add_client(struct cg_config *config, const struct cg_client *client) CG_MUST_CHECK;

/* What has that number, which is below client_count or mapping_count; NULL: it has gone. */
static inline const struct cg_client *cg_config_client(const struct cg_config *config, uint32_t number) {
    void *instead;
    if (config->new_clients.root == NULL || !cg_trie_find(&config->new_clients, number, &instead))
        return &config->clients[number];
    return instead;
}
static inline struct cg_mapping *cg_config_mapping(const struct cg_config *config, uint32_t number) {
    void *instead;
    if (config->new_mappings.root == NULL || !cg_trie_find(&config->new_mappings, number, &instead))
        return &config->mappings[number];
    return instead;
}
/* One after the other, NULL behind the last:
 *
 *     for (uint32_t next = 0; (mapping = cg_config_next_mapping(config, &next)) != NULL;) … */
const struct cg_client *cg_config_next_client(const struct cg_config *config, uint32_t *next);
struct cg_mapping *cg_config_next_mapping(const struct cg_config *config, uint32_t *next);
/* The same of those that no earlier snapshot has: all of one that was read whole. */
struct cg_mapping *cg_config_next_own_mapping(const struct cg_config *config, uint32_t *next);
/* How many there are. */
static inline size_t cg_config_mappings(const struct cg_config *config) {
    return config->mapping_count - config->mappings_gone;
}

/* NULL: there are none of that name. */
const struct cg_credentials *cg_config_credentials(const struct cg_config *config, const char *name);
/* One of its targets is a next hop. */
bool cg_mapping_has_hop(const struct cg_mapping *mapping);
/* All are, and there is one: how long members take, and how they are reached, is the next gateways' matter. */
bool cg_mapping_is_by_hops(const struct cg_mapping *mapping);

/* Where requests to the target go at this moment, a next hop's among them; family NONE: its host name stands for no
 * group (target->resolved->why). */
struct cg_addr cg_next_hop_addr(const struct cg_next_hop *next_hop); /* family NONE: resolved->why */
struct cg_addr cg_target_group(const struct cg_target *target);

static inline bool cg_pass_is_good(const struct cg_pass *pass, int64_t now_s) { return now_s < pass->expires_s; }
/* The one with that digest, compared in a time that says nothing; NULL: none. */
const struct cg_pass *cg_pass_find(const struct cg_pass *passes, size_t count, const uint8_t sha256[32]);

/* *pass: which of the client's it is. Whether it has expired is for whoever has a clock: cg_pass_is_good. */
const struct cg_client *cg_config_client_by_token(const struct cg_config *config, const uint8_t sha256[32],
                                                  const struct cg_pass **pass);
const struct cg_client *cg_config_client_by_certificate(const struct cg_config *config, const uint8_t sha256[32],
                                                        const struct cg_pass **pass);
const struct cg_client *cg_config_client_by_psk(const struct cg_config *config, struct cg_slice identity);
const struct cg_client *cg_config_client_by_oscore(const struct cg_config *config, struct cg_slice recipient_id);
const struct cg_client *cg_config_client_by_name(const struct cg_config *config, const char *name);

#endif
