/* The table: every key that the settings file may have, one row a key. Reader, defaults, -T, the JSON Schema and what
 * needs a restart come from here; a new key of a common type is a row and its field, nothing else. The hard thing: the
 * order of rows is the order of reading, so of mistakes, and of printing. */
#include "settings/draft.h"
#include "settings/rows.h"

#include "model/reaction.h"

enum {
    OPTION_MAX = UINT16_MAX,
    LISTENERS_MAX = 64,
    HOSTS_MAX = 1000,
    ORIGINS_MAX = 100,
    PROXIES_MAX = 100,
    INTERFACES_MAX = 64,
    PREFIXES_MAX = 256,
    TARGETS_MAX = 64,
    ALERT_GROUPS_MAX = 64,
    TIMEOUT_MAX_S = 3600,
    ROUND_TRIP_MAX_S = 300,
    MANY = 100000,
    MILLION = 1000000,
    GIB = 1 << 30,
};

#define NAME    "'type': 'string', 'pattern': '^[a-z0-9][a-z0-9._-]{0,63}$'"
#define GROUP   "'type': 'string', 'pattern': '^[Cc][Oo][Aa][Pp]://'"
#define HOP     "'type': 'string', 'pattern': '^[Cc][Oo][Aa][Pp][Ss]?([+][Tt][Cc][Pp])?://'"
#define FIXED   (CG_ROW_RESTART | CG_ROW_FILE_ONLY)
#define IS_URI  "The group URI: coap, a multicast address or a host name that stands for one, never port 5684."
#define HAS_TLS "Addresses with ports. One that is not loopback needs \"tls\" or \"insecure\": true."

/* Fronts */

static const struct cg_row listen_rows[] = {
    {"address", &cg_kind_address, CG_ROW_PLACE(struct cg_listen, addr), .flags = FIXED | CG_ROW_REQUIRED,
     .says = "IP address and port, such as 127.0.0.1:8080 or [::1]:8080."},
    {"insecure", &cg_kind_bool, CG_ROW_PLACE(struct cg_listen, insecure), .fallback = "false",
     .flags = CG_ROW_FILE_ONLY, .says = "Others may come in without TLS, and anonymously."},
};
const struct cg_rows cg_http_listen_rows = {"/http/listen/*", CG_ROWS(listen_rows), .short_form = true};
static const struct cg_rows admin_listen_rows = {"/admin/listen/*", CG_ROWS(listen_rows), .short_form = true};

static const struct cg_row tls_rows[] = {
    {"certificate", &cg_kind_file, CG_ROW_PLACE(struct cg_tls_settings, certificate),
     .flags = CG_ROW_FILE_ONLY | CG_ROW_REQUIRED,
     .says = "PEM file of the certificate and those of its issuers. Read again at a reload."},
    {"key", &cg_kind_file, CG_ROW_PLACE(struct cg_tls_settings, key), .flags = CG_ROW_FILE_ONLY | CG_ROW_REQUIRED,
     .says = "PEM file of its private key, without a password."},
    {"client_ca", &cg_kind_file, CG_ROW_PLACE(struct cg_tls_settings, client_ca), .flags = CG_ROW_FILE_ONLY,
     .says = "Issuer of client certificates; without it none are asked for."},
};
static const struct cg_rows http_tls_rows = {"/http/tls", CG_ROWS(tls_rows)};
static const struct cg_rows admin_tls_rows = {"/admin/tls", CG_ROWS(tls_rows)};

static const struct cg_items listen_items = {.kind = &cg_kind_object,
                                             .count = offsetof(struct cg_http_settings, listen_count),
                                             .size = sizeof(struct cg_listen)};
static const struct cg_items host_items = {
    .kind = &cg_kind_host, .count = offsetof(struct cg_http_settings, host_count), .size = sizeof(const char *)};

static const struct cg_items origin_items = {
    .kind = &cg_kind_origin, .count = offsetof(struct cg_http_settings, origin_count), .size = sizeof(const char *)};
static const struct cg_items proxy_items = {.kind = &cg_kind_proxy,
                                            .count = offsetof(struct cg_http_settings, trusted_proxy_count),
                                            .size = sizeof(struct cg_prefix)};

/* clang-format off */
#define FRONT(listen_rows_, tls_rows_, address)                                                                        \
    {"listen", &cg_kind_own_list, CG_ROW_PLACE(struct cg_http_settings, listen), .max = LISTENERS_MAX,                 \
     .items = &listen_items, .of = &(listen_rows_), .flags = FIXED,                                                    \
     .fallback = "[{'address': '" address "', 'insecure': false}]", .says = HAS_TLS},                                  \
    {"hosts", &cg_kind_list, CG_ROW_PLACE(struct cg_http_settings, hosts), .max = HOSTS_MAX, .items = &host_items,     \
     .fallback = "[]", .says = "Further names that Host may have, with or without port."},                             \
    {"tls", &cg_kind_tls, CG_ROW_PLACE(struct cg_http_settings, tls), .of = &(tls_rows_), .fallback = "null",          \
     .flags = CG_ROW_FILE_ONLY, .says = "Certificate and key of all listeners of this section."}
/* clang-format on */

static const struct cg_row http_rows[] = {
    FRONT(cg_http_listen_rows, http_tls_rows, "127.0.0.1:8080"),
    {"strict", &cg_kind_bool, CG_ROW_PLACE(struct cg_http_settings, strict), .fallback = "false",
     .says = "Every request needs Multicast-Timeout, also where the mapping has a timeout; an acknowledgement is no "
             "answer to a group request."},
    {"origins", &cg_kind_list, CG_ROW_PLACE(struct cg_http_settings, origins), .max = ORIGINS_MAX,
     .items = &origin_items, .fallback = "[]",
     .says =
         "Origins whose pages may send requests, such as \"https://dashboard.example\" (CORS). What browsers say to "
         "come from any other site is refused."},
    {"trusted_proxies", &cg_kind_list, CG_ROW_PLACE(struct cg_http_settings, trusted_proxies), .max = PROXIES_MAX,
     .items = &proxy_items, .fallback = "[]",
     .says = "Addresses and ranges of reverse proxies, whose Forwarded or X-Forwarded-For says for whom a request "
             "counts in limits and in the log. Such a client is never anonymous by loopback."},
    {"coap_payload", &cg_kind_bool, CG_ROW_PLACE(struct cg_http_settings, coap_payload), .fallback = "false",
     .says = "Content-Type and Accept may name a CoAP Content-Format by its number: application/coap-payload;cf=N "
             "(RFC 8075 §6.2). Otherwise 415 and 406."},
};
const struct cg_rows cg_http_rows = {"/http", CG_ROWS(http_rows)};

static const struct cg_row admin_rows[] = {FRONT(admin_listen_rows, admin_tls_rows, "127.0.0.1:8081")};
const struct cg_rows cg_admin_rows = {"/admin", CG_ROWS(admin_rows)};

/* clang-format off */
#define OPTION(name, number, says_)                                                                                    \
    {#name, &cg_kind_integer, CG_ROW_PLACE(struct cg_option_numbers, name), .min = 1, .max = OPTION_MAX,               \
     .fallback = number, .says = says_}
/* clang-format on */

static const struct cg_row option_rows[] = {
    OPTION(multicast_timeout, "2", "Multicast-Timeout: how long the client lets the gateway collect answers."),
    OPTION(reply_from, "248", "Reply-From: where the member is that an answer comes from."),
    OPTION(group_etag, "24", "Group-ETag: validates a group's answers together."),
    OPTION(uri_path_abbrev, "13", "Uri-Path-Abbrev: a number in place of a well-known path."),
    OPTION(proxy_cri, "235", "Proxy-Cri: the target as a CRI, in place of Proxy-Uri."),
    OPTION(proxy_scheme_number, "239", "Proxy-Scheme-Number: the target's scheme as a number."),
};
const struct cg_rows cg_option_rows = {"/coap/options", CG_ROWS(option_rows)};

static const struct cg_row coap_listen_rows[] = {
    {"address", &cg_kind_own_text, CG_ROW_PLACE(struct cg_coap_listen, listen.text), .flags = FIXED | CG_ROW_REQUIRED,
     .says = "coap, coaps, coap+tcp or coaps+tcp, and ://ADDRESS:PORT; without a port 5683, and 5684 where protected."},
    {"insecure", &cg_kind_bool, CG_ROW_PLACE(struct cg_coap_listen, listen.insecure), .fallback = "false",
     .flags = CG_ROW_FILE_ONLY, .says = "Others may come in without DTLS or TLS, and anonymously."},
};
const struct cg_rows cg_coap_listen_rows = {"/coap/listen/*", CG_ROWS(coap_listen_rows), .short_form = true};
static const struct cg_rows coap_tls_rows = {"/coap/tls", CG_ROWS(tls_rows)};

static const struct cg_items coap_listen_items = {.kind = &cg_kind_object,
                                                  .count = offsetof(struct cg_config, coap.listen_count),
                                                  .size = sizeof(struct cg_coap_listen)};
static const struct cg_items all_nodes_items = {.kind = &cg_kind_interface_item,
                                                .count = offsetof(struct cg_config, coap.all_nodes_count),
                                                .size = sizeof(const char *)};

static const struct cg_row coap_rows[] = {
    {"listen", &cg_kind_own_list, CG_ROW_PLACE(struct cg_config, coap.listen), .max = LISTENERS_MAX,
     .items = &coap_listen_items, .of = &cg_coap_listen_rows, .flags = FIXED,
     .fallback = "[{'address': 'coap://127.0.0.1:5683', 'insecure': false}]",
     .says = "URIs without path: coap, coaps, coap+tcp, coaps+tcp. One that is neither loopback nor protected needs "
             "\"insecure\": true, or a client with \"oscore\". A protected one needs \"tls\" or a client with \"psk\". "
             "Where "
             "nothing is written, and that port is taken, there is a warning and no listener."},
    {"tls", &cg_kind_tls, CG_ROW_PLACE(struct cg_config, coap.tls), .of = &coap_tls_rows, .fallback = "null",
     .flags = CG_ROW_FILE_ONLY, .says = "Certificate and key of all coaps and coaps+tcp listeners."},
    {"all_nodes", &cg_kind_list, CG_ROW_PLACE(struct cg_config, coap.all_nodes), .max = INTERFACES_MAX,
     .items = &all_nodes_items, .fallback = "[]", .flags = FIXED,
     .says = "Interfaces where requests for /.well-known/core to All CoAP Nodes are heard (224.0.1.187, ff02::fd, "
             "ff03::fd, ff05::fd)."},
    {"options", &cg_kind_options, CG_ROW_PLACE(struct cg_config, options), .of = &cg_option_rows,
     .says = "Option numbers of drafts, which are not assigned yet."},
};
const struct cg_rows cg_coap_rows = {"/coap", CG_ROWS(coap_rows)};

static const struct cg_items alert_listen_items = {.kind = &cg_kind_alert_listen,
                                                   .count = offsetof(struct cg_config, alerts.listen_count),
                                                   .size = sizeof(struct cg_coap_listen)};
static const struct cg_items alert_group_items = {.kind = &cg_kind_alert_group,
                                                  .count = offsetof(struct cg_config, alerts.group_count),
                                                  .size = sizeof(struct cg_alert_group)};

static const struct cg_row alert_rows[] = {
    {"listen", &cg_kind_own_list, CG_ROW_PLACE(struct cg_config, alerts.listen), .max = LISTENERS_MAX,
     .items = &alert_listen_items, .fallback = "[]", .flags = FIXED,
     .says = "coap://ADDRESS:PORT, unicast, each apart from coap.listen. What comes there counts only where it is "
             "protected by Group OSCORE, so these addresses need not be on loopback."},
    {"groups", &cg_kind_own_list, CG_ROW_PLACE(struct cg_config, alerts.groups), .max = ALERT_GROUPS_MAX,
     .items = &alert_group_items, .fallback = "[]",
     .says = "Names of security_groups: whose members may send. Where a group has the pairwise mode it is required."},
    {"window", &cg_kind_integer, CG_ROW_PLACE(struct cg_config, alerts.window), .max = TIMEOUT_MAX_S, .fallback = "0",
     .unit = "seconds",
     .says = "Reports are handed on together, so long after the first of them; 0: each at once. Reactions never wait."},
};
const struct cg_rows cg_alert_rows = {"/alerts", CG_ROWS(alert_rows)};

/* The group side */

static const struct cg_items prefix_items = {.kind = &cg_kind_prefix,
                                             .count = offsetof(struct cg_group_settings, prefix_count),
                                             .size = sizeof(struct cg_prefix)};

static const struct cg_row send_budget_rows[] = {
    {"interface", &cg_kind_interface_item, CG_ROW_PLACE(struct cg_send_budget_settings, interface),
     .flags = CG_ROW_REQUIRED, .says = "The interface that the budget binds."},
    {"requests", &cg_kind_integer, CG_ROW_PLACE(struct cg_send_budget_settings, requests), .min = 1, .max = 10000,
     .flags = CG_ROW_REQUIRED, .says = "How many may leave in that time."},
    {"seconds", &cg_kind_integer, CG_ROW_PLACE(struct cg_send_budget_settings, seconds), .min = 1, .max = 3600,
     .flags = CG_ROW_REQUIRED, .unit = "seconds", .says = "How long that time is, wherever it begins."},
};
static const struct cg_rows all_send_budget_rows = {"/group/send_budgets/*", CG_ROWS(send_budget_rows)};

static const struct cg_items send_budget_items = {.kind = &cg_kind_object,
                                                  .count = offsetof(struct cg_group_settings, send_budget_count),
                                                  .size = sizeof(struct cg_send_budget_settings)};

static const struct cg_row group_rows[] = {
    {"interface", &cg_kind_interface, CG_ROW_PLACE(struct cg_group_settings, interface), .fallback = "null",
     .says = "null: the only multicast-capable interface that is not loopback."},
    {"address", &cg_kind_source_address, CG_ROW_PLACE(struct cg_group_settings, address), .fallback = "null",
     .flags = CG_ROW_RESTART, .says = "Source address; null: the interface's."},
    {"port", &cg_kind_integer, CG_ROW_PLACE(struct cg_group_settings, port), .max = UINT16_MAX, .fallback = "0",
     .flags = CG_ROW_RESTART,
     .says = "Source port; 0: any, and after a restart the same as before where it is free. A fixed one "
             "makes a firewall rule possible."},
    {"hops", &cg_kind_integer, CG_ROW_PLACE(struct cg_group_settings, hops), .min = 1, .max = UINT8_MAX,
     .fallback = "1", .says = "IPv4 TTL or IPv6 hop limit, for mappings that say nothing."},
    {"receive_buffer", &cg_kind_integer, CG_ROW_PLACE(struct cg_group_settings, receive_buffer), .min = 4096,
     .max = GIB, .fallback = "4194304", .unit = "bytes", .flags = CG_ROW_RESTART,
     .says = "Answers that wait in the kernel."},
    {"nstart", &cg_kind_integer, CG_ROW_PLACE(struct cg_group_settings, nstart), .min = 1, .max = 65535,
     .fallback = "1",
     .says = "Outstanding requests for each group (RFC 10020, section 3.6), and for each member that is asked by "
             "unicast."},
    {"ack_timeout", &cg_kind_brief_seconds, CG_ROW_PLACE(struct cg_group_settings, ack_timeout_us), .min = 100,
     .max = 60000, .json = "'type': 'number', 'minimum': 0.1, 'maximum': 60", .fallback = "2", .unit = "seconds",
     .says = "Until a request to a single member is sent again (RFC 7252, section 4.8), as long as the round trip to "
             "its address has not been measured."},
    {"probing_rate", &cg_kind_integer, CG_ROW_PLACE(struct cg_group_settings, probing_rate), .min = 1,
     .max = 1000 * MILLION, .fallback = "1", .unit = "bytes per second",
     .says = "On average, towards a group that does not answer (RFC 10020, section 3.6)."},
    {"probing_burst", &cg_kind_integer, CG_ROW_PLACE(struct cg_group_settings, probing_burst), .min = 1,
     .max = 1000 * MILLION, .fallback = "16384", .unit = "bytes", .says = "May go out before that average binds."},
    {"frame_size", &cg_kind_integer, CG_ROW_PLACE(struct cg_group_settings, frame_size), .max = 65535, .fallback = "0",
     .unit = "bytes", .says = "Warns of larger requests; 0: never."},
    {"observe_renewal", &cg_kind_integer, CG_ROW_PLACE(struct cg_group_settings, observe_renewal_s), .min = 60,
     .max = 86400, .fallback = "3600", .unit = "seconds",
     .says = "After so long at the latest an observation is registered once more at its group, so that members which "
             "have come or started again since hear of it (RFC 10020, section 3.7)."},
    {"prefixes", &cg_kind_list, CG_ROW_PLACE(struct cg_group_settings, prefixes), .max = PREFIXES_MAX,
     .items = &prefix_items, .fallback = "[]",
     .says = "Ranges of addresses behind routers, such as \"2001:db8:7::/48\", that members of plain groups may be in "
             "without being configured. An address outside them that is not on the link either is never asked for the "
             "further blocks of its answer."},
    {"send_budgets", &cg_kind_send_budgets, CG_ROW_PLACE(struct cg_group_settings, send_budgets),
     .max = CG_SEND_BUDGETS_MAX, .items = &send_budget_items, .of = &all_send_budget_rows, .fallback = "[]",
     .says = "At most so many request datagrams leave by the interface in any time of so many seconds: group requests, "
             "requests to single members, their repetitions and pings. What has no room waits for it."},
};
static const struct cg_rows all_group_rows = {"/group", CG_ROWS(group_rows)};

static const struct cg_row limit_rows[] = {
    {"exchanges", &cg_kind_integer, CG_ROW_PLACE(struct cg_limits, exchanges), .min = 1, .max = MILLION,
     .fallback = "1024", .says = "Running at once."},
    {"exchanges_per_client", &cg_kind_integer, CG_ROW_PLACE(struct cg_limits, exchanges_per_client), .min = 1,
     .max = MILLION, .fallback = "16",
     .says = "Running at once. Anonymous clients count by address (IPv6: its first 64 bits)."},
    {"observers", &cg_kind_integer, CG_ROW_PLACE(struct cg_limits, observers), .min = 1, .max = MILLION,
     .fallback = "4096",
     .says = "Exchanges at once whose clients observe, which do not count among the others; half of them at most for "
             "one client."},
    {"exchange_memory", &cg_kind_integer, CG_ROW_PLACE(struct cg_limits, exchange_memory), .min = 65536, .max = GIB,
     .fallback = "16777216", .unit = "bytes", .says = "Of one exchange."},
    {"total_memory", &cg_kind_integer, CG_ROW_PLACE(struct cg_limits, total_memory), .min = 65536,
     .max = (uint64_t)1 << 40, .fallback = "268435456", .unit = "bytes", .says = "Of all answers and replies."},
    {"request_body", &cg_kind_integer, CG_ROW_PLACE(struct cg_limits, request_body), .max = GIB, .fallback = "65536",
     .unit = "bytes", .says = "Of a client's request."},
    {"answer", &cg_kind_integer, CG_ROW_PLACE(struct cg_limits, answer), .min = 1024, .max = GIB, .fallback = "65536",
     .unit = "bytes", .says = "Of one answer, after blocks."},
    {"stream_queue", &cg_kind_integer, CG_ROW_PLACE(struct cg_limits, stream_queue), .min = 4096, .max = GIB,
     .fallback = "262144", .unit = "bytes",
     .says = "Wait for the reader of a stream. When it is full, further answers wait; a reader that then takes nothing "
             "for 5 seconds is cut off."},
    {"cache", &cg_kind_integer, CG_ROW_PLACE(struct cg_limits, cache), .max = GIB, .fallback = "33554432",
     .unit = "bytes",
     .says =
         "Of answers that mappings with \"cache\" keep, beside total_memory; what was used least lately goes first."},
};
static const struct cg_rows all_limit_rows = {"/limits", CG_ROWS(limit_rows)};

static const struct cg_row recorder_rows[] = {
    {"memory", &cg_kind_integer, CG_ROW_PLACE(struct cg_recorder_settings, memory), .max = GIB, .fallback = "16777216",
     .unit = "bytes",
     .says = "For the latest exchanges, as the admin side shows them, with their datagrams. 0: none are kept."},
    {"payloads", &cg_kind_payloads, CG_ROW_PLACE(struct cg_recorder_settings, payloads),
     .json = "'enum': ['none', 'plain', 'all']", .fallback = "'plain'",
     .says = "Which payloads transcripts and datagrams of exchanges have, and then only for administrators: \"none\", "
             "those of "
             "mappings whose groups are \"plain\", or \"all\", with what secured groups say. Of others there are "
             "their lengths, and which of them are equal."},
};
static const struct cg_rows all_recorder_rows = {"/recorder", CG_ROWS(recorder_rows)};

static const struct cg_items plugin_items = {
    .kind = &cg_kind_plugin, .count = offsetof(struct cg_config, plugin_count), .size = sizeof(const char *)};

static const struct cg_row plugin_rows[] = {
    {"folder", &cg_kind_file, CG_ROW_PLACE(struct cg_config, plugin_folder), .fallback = "'/usr/lib/castgate'",
     .flags = FIXED, .says = "Where plugins are looked for by name."},
    {"load", &cg_kind_load, CG_ROW_PLACE(struct cg_config, plugins), .max = 64, .items = &plugin_items,
     .fallback = "[]", .flags = FIXED,
     .says = "File names in the folder. Encoders of the reply, loaded at the start; one that does not fit is left out "
             "and logged."},
};
static const struct cg_rows all_plugin_rows = {"/plugins", CG_ROWS(plugin_rows)};

static const struct cg_items argument_items = {
    .kind = &cg_kind_argument, .count = offsetof(struct cg_config, after_rekey_count), .size = sizeof(const char *)};

static const struct cg_row hook_rows[] = {
    {"after_rekey", &cg_kind_list, CG_ROW_PLACE(struct cg_config, after_rekey), .max = 64, .items = &argument_items,
     .fallback = "[]", .flags = CG_ROW_FILE_ONLY,
     .says = "A program and its arguments, run without a shell when keys of a stored security group are prepared or "
             "come into use: it gets the members' files on its stdin, and hands them out."},
    {"seconds", &cg_kind_integer, CG_ROW_PLACE(struct cg_config, hook_seconds), .min = 1, .max = 3600, .fallback = "60",
     .unit = "seconds", .flags = CG_ROW_FILE_ONLY, .says = "Then it is ended."},
};
static const struct cg_rows all_hook_rows = {"/hooks", CG_ROWS(hook_rows)};

/* Who */

static const struct cg_row security_group_rows[] = {
    {"file", &cg_kind_own_file, CG_ROW_PLACE(struct cg_security_keys, file),
     .flags = CG_ROW_FILE_ONLY | CG_ROW_REQUIRED, .says = "The security group file in use."},
    {"next", &cg_kind_next_file, CG_ROW_PLACE(struct cg_security_keys, next_file), .flags = CG_ROW_FILE_ONLY,
     .says = "The file of the next epoch: accepted, not yet sent under. It may be missing where it is X.next.json "
             "beside X.json, the names of castgate-keys: then no rekey is prepared."},
    {"warm", &cg_kind_bool, CG_ROW_PLACE(struct cg_security_keys, warm), .fallback = "false",
     .says =
         "Whether its configured members are met before they have to act: after the start, a rekey and another Sender "
         "ID, a GET to the groups of its mappings settles what members ask of a sender that they do not know (Echo)."},
};
const struct cg_rows cg_security_group_rows = {"/security_groups/*", CG_ROWS(security_group_rows), .short_form = true};

static const struct cg_items security_group_items = {.kind = &cg_kind_security_group,
                                                     .count = offsetof(struct cg_config, security_group_count),
                                                     .size = sizeof(struct cg_security_keys),
                                                     .name = offsetof(struct cg_security_keys, name)};

static const struct cg_row psk_rows[] = {
    {"identity", &cg_kind_own_text, CG_ROW_PLACE(struct cg_psk, identity),
     .json = "'type': 'string', 'minLength': 1, 'maxLength': 128", .flags = CG_ROW_REQUIRED,
     .says = "What the client calls itself: at most 128 bytes, unique."},
    {"key_file", &cg_kind_file, CG_ROW_PLACE(struct cg_psk, key_file), .flags = CG_ROW_FILE_ONLY | CG_ROW_REQUIRED,
     .says = "The key: 16 to 64 bytes. A file of 32 to 128 hexadecimal digits alone means what they stand for; any "
             "other one is the key as it is, a text's line break at the end apart."},
};
const struct cg_rows cg_psk_rows = {"/clients/*/psk", CG_ROWS(psk_rows)};

static const struct cg_row own_psk_rows[] = {
    {"identity", &cg_kind_own_text, CG_ROW_PLACE(struct cg_psk, identity),
     .json = "'type': 'string', 'minLength': 1, 'maxLength': 128", .flags = CG_ROW_REQUIRED,
     .says = "What this gateway calls itself there: at most 128 bytes."},
    {"key_file", &cg_kind_file, CG_ROW_PLACE(struct cg_psk, key_file), .flags = CG_ROW_FILE_ONLY | CG_ROW_REQUIRED,
     .says = "The key, as a client's."},
};
const struct cg_rows cg_own_psk_rows = {"/credentials/*/psk", CG_ROWS(own_psk_rows)};

static const struct cg_row credentials_rows[] = {
    {"psk", &cg_kind_psk, CG_ROW_PLACE(struct cg_credentials, psk), .of = &cg_own_psk_rows, .flags = CG_ROW_FILE_ONLY,
     .says = "A pre-shared key, which the next gateway has as one of a client's."},
    {"ca", &cg_kind_file, CG_ROW_PLACE(struct cg_credentials, ca), .flags = CG_ROW_FILE_ONLY,
     .says = "Instead: PEM file of the authorities that may vouch for the next gateway's certificate, which has to "
             "name the host of \"next_hop\"."},
    {"certificate", &cg_kind_file, CG_ROW_PLACE(struct cg_credentials, certificate), .flags = CG_ROW_FILE_ONLY,
     .says = "PEM file of the certificate that this gateway shows there, with those between it and its authority."},
    {"key", &cg_kind_file, CG_ROW_PLACE(struct cg_credentials, key), .flags = CG_ROW_FILE_ONLY,
     .says = "PEM file of its private key."},
};
const struct cg_rows cg_credentials_rows = {"/credentials/*", CG_ROWS(credentials_rows)};

static const struct cg_items credentials_items = {.kind = &cg_kind_object,
                                                  .count = offsetof(struct cg_config, credentials_count),
                                                  .size = sizeof(struct cg_credentials),
                                                  .name = offsetof(struct cg_credentials, name)};

static const struct cg_row client_rows[] = {
    {"role", &cg_kind_role,
     .says = "What it may do on the admin side: \"viewer\" reads, \"operator\" also tries requests, \"admin\" also "
             "changes. Without one it has no access there."},
    {"token_sha256", &cg_kind_token, .says = "Of the bearer token's bytes; a list where it has several."},
    {"certificate_sha256", &cg_kind_certificate,
     .says = "Of the client certificate's DER form; a list where it has several."},
    {"psk", &cg_kind_psk, CG_ROW_PLACE(struct cg_client, psk), .of = &cg_psk_rows, .flags = CG_ROW_FILE_ONLY,
     .says = "The pre-shared key that its DTLS sessions begin with."},
    {"oscore", &cg_kind_file, CG_ROW_PLACE(struct cg_client, oscore.file), .flags = CG_ROW_FILE_ONLY,
     .says = "The file with the OSCORE context (RFC 8613) that it shares with the gateway."},
};
const struct cg_rows cg_client_rows = {"/clients/*", CG_ROWS(client_rows), .json = "'minProperties': 1"};
/* They may have nothing but tokens, which are stored apart. */
const struct cg_rows cg_stored_client_rows = {"/clients/*", CG_ROWS(client_rows)};

static const struct cg_row token_rows[] = {
    {"client", &cg_kind_own_text, .json = "'type': 'string'", .flags = CG_ROW_REQUIRED, .says = "Whose it is."},
    {"sha256", &cg_kind_hash, .flags = CG_ROW_REQUIRED, .says = "Of the bearer token's bytes."},
    {"made", &cg_kind_moment, .flags = CG_ROW_REQUIRED, .says = "When it was made."},
    {"expires", &cg_kind_moment, .json = "'type': ['string', 'null'], 'format': 'date-time'",
     .says = "From when it is worth nothing; null: never."},
    {"label", &cg_kind_own_text, .json = "'type': 'string', 'maxLength': 128", .says = "What it is for, for people."},
};
const struct cg_rows cg_token_rows = {"/tokens/*", CG_ROWS(token_rows)};

static const struct cg_items client_items = {.kind = &cg_kind_object,
                                             .count = offsetof(struct cg_config, client_count),
                                             .size = sizeof(struct cg_client),
                                             .name = offsetof(struct cg_client, name)};

/* Mappings: what stands at which path */

static const struct cg_row target_rows[] = {
    {"group", &cg_kind_own_uri, CG_ROW_PLACE(struct cg_target, group_uri), .json = GROUP, .says = IS_URI},
    {"interface", &cg_kind_interface, CG_ROW_PLACE(struct cg_target, interface), .says = "Default: the mapping's."},
    {"next_hop", &cg_kind_own_uri, CG_ROW_PLACE(struct cg_target, next_hop.uri), .json = HOP,
     .says = "Another gateway that is asked in the group's place: as a forward proxy for \"group\", or "
             "without one by a path of its own. By coap://, coaps://, coap+tcp:// or coaps+tcp://."},
    {"round_trip", &cg_kind_integer, CG_ROW_PLACE(struct cg_target, next_hop.round_trip_s), .min = 1,
     .max = ROUND_TRIP_MAX_S, .fallback = "1",
     .says = "Seconds to the next hop and back at the worst: so much less time than this gateway it has to collect."},
    {"credentials", &cg_kind_own_name, CG_ROW_PLACE(struct cg_target, next_hop.credentials_name), .json = NAME,
     .says = "By which this gateway and a next hop by coaps:// or coaps+tcp:// know each other: a name of "
             "\"credentials\"."},
};
const struct cg_rows cg_target_rows = {"/mappings/*/targets/*", CG_ROWS(target_rows)};

static const struct cg_items target_items = {.kind = &cg_kind_object,
                                             .count = offsetof(struct cg_draft, mapping.target_count),
                                             .size = sizeof(struct cg_target)};

static const struct cg_row member_rows[] = {
    {"name", &cg_kind_member_name, CG_ROW_PLACE(struct cg_member, name), .json = NAME,
     .says = "What replies call it; unique in the mapping. Default: its address."},
    {"address", &cg_kind_address, CG_ROW_PLACE(struct cg_member, addr), .flags = CG_ROW_REQUIRED,
     .says = "Where it is by unicast, such as 192.0.2.7 or [2001:db8::7]:5683."},
    {"multicast", &cg_kind_multicast, CG_ROW_PLACE(struct cg_member, is_unicast_only), .fallback = "true",
     .says = "false: group requests do not get there, so it is asked by unicast from the start."},
};
const struct cg_rows cg_member_rows = {"/mappings/*/members/*", CG_ROWS(member_rows), .short_form = true};

static const struct cg_items member_items = {.kind = &cg_kind_member,
                                             .count = offsetof(struct cg_draft, mapping.member_count),
                                             .size = sizeof(struct cg_member)};

static const struct cg_row grant_rows[] = {
    {"name", &cg_kind_client_name, .flags = CG_ROW_REQUIRED, .says = "A name of clients, or \"anonymous\"."},
    {"methods", &cg_kind_methods, CG_ROW_PLACE(struct cg_grant, methods),
     .says = "Default: all that the mapping lets pass. Binds nothing where it relays."},
};
const struct cg_rows cg_grant_rows = {"/mappings/*/clients/*", CG_ROWS(grant_rows), .short_form = true};

static const struct cg_items grant_items = {
    .kind = &cg_kind_object, .count = offsetof(struct cg_draft, mapping.grant_count), .size = sizeof(struct cg_grant)};

static const struct cg_row repair_rows[] = {
    {"unicast", &cg_kind_bool, CG_ROW_PLACE(struct cg_draft, mapping.repair_unicast), .fallback = "false",
     .says = "Asks silent members by unicast (GET, FETCH, PUT, DELETE and iPATCH: who repeats POST or PATCH acts "
             "twice)."},
    {"probe", &cg_kind_bool, CG_ROW_PLACE(struct cg_draft, mapping.repair_probe), .fallback = "true",
     .says =
         "Asks members that stay silent by unicast, to tell in the reply why they are missing: by a CoAP ping, or by "
         "the same request where it is safe. Each once a minute, eight in a request; what comes of it is no answer."},
    {"large_requests", &cg_kind_bool, CG_ROW_PLACE(struct cg_draft, mapping.repair_large_requests), .fallback = "false",
     .says =
         "A payload above 1024 bytes, or above \"block_size\", goes to each configured member by unicast, in blocks "
         "(Block1). Otherwise it is refused with 413: groups have no such blocks (RFC 10020, section 3.8)."},
};
static const struct cg_rows all_repair_rows = {"/mappings/*/repair", CG_ROWS(repair_rows)};

static const struct cg_row budget_rows[] = {
    {"requests_per_minute", &cg_kind_integer, CG_ROW_PLACE(struct cg_draft, mapping.requests_per_minute),
     .max = MILLION, .fallback = "0", .says = "Of each client; 0: no limit."},
};
static const struct cg_rows all_budget_rows = {"/mappings/*/budget", CG_ROWS(budget_rows)};

static const struct cg_row mapping_rows[] = {
    {"name", &cg_kind_own_text, CG_ROW_PLACE(struct cg_draft, mapping.name), .json = NAME,
     .flags = CG_ROW_REQUIRED | CG_ROW_NAME, .says = "Unique."},
    {"enabled", &cg_kind_bool, CG_ROW_PLACE(struct cg_draft, mapping.enabled), .fallback = "true",
     .says = "false: it is out of use, and its path is free."},
    {"path", &cg_kind_path, CG_ROW_PLACE(struct cg_draft, mapping.path),
     .json = "'type': 'string', 'maxLength': 1024, 'pattern': '^/'",
     .says = "Where clients find it: no trailing slash, no dot segments, not /hc or /.well-known. Default: / and the "
             "name."},
    {"host", &cg_kind_own_text, CG_ROW_PLACE(struct cg_draft, mapping.host), .json = "'type': ['string', 'null']",
     .fallback = "null", .says = "Only for requests with this Host (without port); wins over mappings for any host."},
    {"group", &cg_kind_own, .json = GROUP, .says = IS_URI},
    {"targets", &cg_kind_own_list, CG_ROW_PLACE(struct cg_draft, mapping.targets), .max = TARGETS_MAX,
     .json = "'type': 'array', 'minItems': 1", .items = &target_items, .of = &cg_target_rows,
     .says = "Several groups, one reply."},
    {"interface", &cg_kind_unprinted_interface, CG_ROW_PLACE(struct cg_draft, interface),
     .says = "Default: group.interface."},
    {"hops", &cg_kind_integer, CG_ROW_PLACE(struct cg_draft, hops), .min = 1, .max = UINT8_MAX,
     .says = "IPv4 TTL or IPv6 hop limit. Default: group.hops."},
    {"security", &cg_kind_security, .flags = CG_ROW_REQUIRED,
     .says = "A name of security_groups, \"relay\" (end to end), or \"none\", which must be written out."},
    {"methods", &cg_kind_methods, CG_ROW_PLACE(struct cg_draft, mapping.methods),
     .says = "What passes at all. Default: GET and FETCH for a plain group without \"unsafe_methods\": true, else all. "
             "Binds nothing where the mapping relays: outside, a protected request is POST or FETCH."},
    {"unsafe_methods", &cg_kind_bool, CG_ROW_PLACE(struct cg_draft, mapping.unsafe_methods), .fallback = "false",
     .says = "Lets a plain group take more than GET and FETCH."},
    {"leisure", &cg_kind_leisure, CG_ROW_PLACE(struct cg_draft, mapping.leisure), .max = TIMEOUT_MAX_S,
     .unit = "seconds",
     .says = "Within which members spread their answers (RFC 7252, section 8.2). Default (RFC 10020, section 3.6.1): "
             "20 where the security group has the group mode, whatever members answer in, or where the mapping relays; "
             "13 where it has the pairwise mode only; 5 for a plain group."},
    {"timeout", &cg_kind_late_seconds, CG_ROW_PLACE(struct cg_draft, mapping.timeout_us), .max = TIMEOUT_MAX_S,
     .unit = "seconds", .says = "To collect for clients that send no Multicast-Timeout. Without it they are refused."},
    {"max_timeout", &cg_kind_late_seconds, CG_ROW_PLACE(struct cg_draft, mapping.max_timeout_us), .max = TIMEOUT_MAX_S,
     .fallback = "60", .unit = "seconds", .says = "A longer Multicast-Timeout is refused."},
    {"silence", &cg_kind_silence, CG_ROW_PLACE(struct cg_draft, mapping.silence), .json = "'enum': ['504', '204']",
     .fallback = "'504'",
     .says =
         "The HTTP status where nobody answers a client that sent no Multicast-Timeout. With \"504\" no client takes "
         "a command that nobody heard for one that was carried out."},
    {"default_content_type", &cg_kind_content_type, CG_ROW_PLACE(struct cg_draft, mapping.default_content_type),
     .json = "'type': ['string', 'null']", .fallback = "null",
     .says = "What a body is that comes without Content-Type, or with the one that curl -d sends by itself "
             "(application/x-www-form-urlencoded): a media type that has a CoAP Content-Format, such as "
             "\"text/plain\". Only for clients that show a token."},
    {"finish", &cg_kind_finish,
     .json = "'type': 'string', 'pattern': '^(all|deadline|quorum:[0-9]+(\\\\.[0-9]{1,8})?|count:[0-9]+)$'",
     .says = "What ends collecting before the time is up. Default: \"all\" with complete membership, else "
             "\"deadline\"."},
    {"membership", &cg_kind_membership, .json = "'enum': ['complete', 'open']", .fallback = "'open'",
     .says = "\"complete\": \"members\" are all there are."},
    {"members", &cg_kind_members, CG_ROW_PLACE(struct cg_draft, mapping.members), .max = MANY, .items = &member_items,
     .of = &cg_member_rows, .fallback = "[]",
     .says = "Members known beforehand: unicast addresses, port 5683 where none is written."},
    {"repair", &cg_kind_object, .of = &all_repair_rows, .says = "What is done about members that do not answer."},
    {"block_size", &cg_kind_block_size, CG_ROW_PLACE(struct cg_draft, mapping.block_size),
     .json = "'enum': [null, 16, 32, 64, 128, 256, 512, 1024]", .fallback = "null", .unit = "bytes",
     .says = "Asks members for answers in blocks of that size or smaller (Block2 in GET and FETCH to the group), and "
             "bounds the blocks of what goes to a single member. null: members choose. Not where the mapping relays."},
    {"forward", &cg_kind_bool, CG_ROW_PLACE(struct cg_draft, mapping.forward), .fallback = "false",
     .says = "Reachable through the forward proxy, /hc/: target URIs below the group's. Needs one group, whose URI has "
             "no query and which no other such mapping has."},
    {"max_answers", &cg_kind_integer, CG_ROW_PLACE(struct cg_draft, mapping.max_answers), .min = 1, .max = MILLION,
     .fallback = "10000", .says = "An exchange keeps no more."},
    {"budget", &cg_kind_object, .of = &all_budget_rows, .says = "How much clients may ask for."},
    {"clients", &cg_kind_own_list, CG_ROW_PLACE(struct cg_draft, mapping.grants), .max = MANY, .items = &grant_items,
     .of = &cg_grant_rows, .fallback = "[]",
     .says = "Who may use it. \"anonymous\" may GET and FETCH, where a listener is on loopback or says \"insecure\": "
             "true."},
    {"cache", &cg_kind_bool, CG_ROW_PLACE(struct cg_draft, mapping.cache), .fallback = "false",
     .says = "Keeps answers to GET and FETCH for their Max-Age (60 seconds where a member says none), and answers with "
             "them alone as long as those of all members are fresh. Needs \"membership\": \"complete\"; not where the "
             "mapping relays."},
    {"aggregate", &cg_kind_bool, CG_ROW_PLACE(struct cg_draft, mapping.aggregate), .fallback = "false",
     .says = "A CoAP client that accepts application/multipart-core (62) gets all answers in one response."},
    {"anonymise", &cg_kind_bool, CG_ROW_PLACE(struct cg_draft, mapping.anonymise), .fallback = "false",
     .says = "Neither kid nor address of a member leaves; \"stand_in\" is \"members\" then."},
    {"record_payloads", &cg_kind_record_payloads, CG_ROW_PLACE(struct cg_draft, mapping.record_payloads),
     .json = "'enum': [true, false, null]", .fallback = "null",
     .says = "Whether transcripts of its exchanges have payloads; null: as \"payloads\" in \"recorder\" says."},
    {"stand_in", &cg_kind_stand_in, .json = "'enum': ['group', 'members']", .fallback = "'group'",
     .says = "\"members\": single members are reached at the path, /.member/ and their name, by unicast, and replies "
             "name the gateway as where they are. Default: \"group\", \"members\" where \"anonymise\"."},
    {"check_signature", &cg_kind_check_signature, CG_ROW_PLACE(struct cg_draft, mapping.check_signature),
     .fallback = "null", .flags = CG_ROW_FILE_ONLY,
     .says =
         "With \"relay\": a checker file; requests are only relayed when their countersignature verifies, each once, "
         "also over a restart (which needs a writable state folder). A client may repeat the same bytes for 247 s."},
};
const struct cg_rows cg_mapping_rows = {"/mappings/*", CG_ROWS(mapping_rows),
                                        .json = "'oneOf': [{'required': ['group']}, {'required': ['targets']}]"};

static const struct cg_items mapping_items = {
    .kind = &cg_kind_mapping, .count = offsetof(struct cg_config, mapping_count), .size = sizeof(struct cg_mapping)};

/* What follows alerts */

static const struct cg_items from_items = {
    .kind = &cg_kind_own_text_item, .count = offsetof(struct cg_occasion, from_count), .size = sizeof(const char *)};

static const struct cg_row occasion_rows[] = {
    {"group", &cg_kind_own_text, CG_ROW_PLACE(struct cg_occasion, group), .json = NAME, .flags = CG_ROW_REQUIRED,
     .says = "The security group whose member sends the alert."},
    {"path", &cg_kind_own_text, CG_ROW_PLACE(struct cg_occasion, path), .json = "'type': 'string', 'pattern': '^/'",
     .flags = CG_ROW_REQUIRED, .says = "What it is sent to: exactly this path."},
    {"method", &cg_kind_method, CG_ROW_PLACE(struct cg_occasion, method), .fallback = "'POST'",
     .says = "The method that it is sent with."},
    {"from", &cg_kind_from, CG_ROW_PLACE(struct cg_occasion, from), .max = CG_REACTION_MEMBERS_MAX,
     .items = &from_items, .says = "Members, as the group's file names them. Default: whoever of the group."},
};
const struct cg_rows cg_occasion_rows = {"/reactions/*/when", CG_ROWS(occasion_rows)};

static const struct cg_row command_rows[] = {
    {"mapping", &cg_kind_own_text, CG_ROW_PLACE(struct cg_command, mapping), .json = NAME, .flags = CG_ROW_REQUIRED,
     .says = "Whose groups it goes to; not one that relays. Its \"clients\" do not matter, its methods, budget and "
             "times do."},
    {"method", &cg_kind_method, CG_ROW_PLACE(struct cg_command, method), .flags = CG_ROW_REQUIRED,
     .says = "Its method, one that the mapping lets pass."},
    {"path", &cg_kind_own_text, CG_ROW_PLACE(struct cg_command, path), .fallback = "''",
     .says = "Behind the group URI's, with a query if need be."},
    {"body", &cg_kind_own_text, CG_ROW_PLACE(struct cg_command, body), .fallback = "''",
     .json = "'type': 'string', 'maxLength': 1024", .says = "All that it carries: nothing of the alert goes into it."},
    {"content_type", &cg_kind_command_type, CG_ROW_PLACE(struct cg_command, content_type),
     .says = "A media type that has a CoAP Content-Format. Default: nothing is said of it."},
};
const struct cg_rows cg_command_rows = {"/reactions/*/do/*", CG_ROWS(command_rows)};

static const struct cg_items command_items = {
    .kind = &cg_kind_object, .count = offsetof(struct cg_reaction, command_count), .size = sizeof(struct cg_command)};

static const struct cg_row reaction_rows[] = {
    {"name", &cg_kind_own_text, CG_ROW_PLACE(struct cg_reaction, name), .json = NAME,
     .flags = CG_ROW_REQUIRED | CG_ROW_NAME, .says = "Unique. It acts as the client reaction/NAME."},
    {"when", &cg_kind_own_object, CG_ROW_PLACE(struct cg_reaction, when), .of = &cg_occasion_rows,
     .flags = CG_ROW_REQUIRED, .says = "Which alerts it follows."},
    {"do", &cg_kind_own_list, CG_ROW_PLACE(struct cg_reaction, commands), .max = CG_REACTION_COMMANDS_MAX,
     .json = "'type': 'array', 'minItems': 1", .items = &command_items, .of = &cg_command_rows,
     .flags = CG_ROW_REQUIRED, .says = "The commands that it gives, in this order, all at once."},
    {"requests_per_minute", &cg_kind_integer, CG_ROW_PLACE(struct cg_reaction, requests_per_minute), .min = 1,
     .max = MILLION, .fallback = "60",
     .says = "Commands that it may give; so many at once. An alert beyond that is not followed, and counted."},
};
const struct cg_rows cg_reaction_rows = {"/reactions/*", CG_ROWS(reaction_rows)};

static const struct cg_items reaction_items = {
    .kind = &cg_kind_object, .count = offsetof(struct cg_config, reaction_count), .size = sizeof(struct cg_reaction)};

/* The whole file */

static const struct cg_row document_rows[] = {
    {"http", &cg_kind_own_object, CG_ROW_PLACE(struct cg_config, http), .of = &cg_http_rows,
     .says = "Where HTTP clients come in."},
    {"admin", &cg_kind_own_object, CG_ROW_PLACE(struct cg_config, admin), .of = &cg_admin_rows,
     .says = "Where the admin side listens."},
    {"coap", &cg_kind_own_object, .of = &cg_coap_rows, .says = "Where CoAP clients come in."},
    {"alerts", &cg_kind_own_object, .of = &cg_alert_rows,
     .says = "Where members of groups send requests of their own: alerts and reports."},
    {"state", &cg_kind_file, CG_ROW_PLACE(struct cg_config, state), .fallback = "'/var/lib/castgate'", .flags = FIXED,
     .says = "Folder of what must survive a restart."},
    {"seal_key", &cg_kind_file_or_null, CG_ROW_PLACE(struct cg_config, seal_key), .fallback = "null", .flags = FIXED,
     .says =
         "File of the key that stored secrets are sealed with, outside the state folder; --init-state makes it. null: "
         "the systemd credential castgate.seal, or none, and no secrets can be stored."},
    {"history_days", &cg_kind_integer, CG_ROW_PLACE(struct cg_config, history_days), .max = 36500, .fallback = "365",
     .unit = "days", .flags = CG_ROW_FILE_ONLY, .says = "How long revisions and the audit are kept; 0: for ever."},
    {"sequence_rate", &cg_kind_integer, CG_ROW_PLACE(struct cg_config, sequence_rate), .min = 1, .max = MILLION,
     .fallback = "100", .unit = "messages per second", .flags = CG_ROW_RESTART,
     .says = "May be sent under one key on average, after a burst of 1000000. At a start numbers go on beyond all that "
             "this allows since they were last stored."},
    {"require_clock", &cg_kind_bool, CG_ROW_PLACE(struct cg_config, require_clock), .fallback = "false",
     .flags = CG_ROW_RESTART,
     .says = "Send nothing under a key while the clock is behind its last use, instead of warning. For gateways whose "
             "clock is set after the start."},
    {"group", &cg_kind_object, CG_ROW_PLACE(struct cg_config, group), .of = &all_group_rows,
     .says = "Sending to groups."},
    {"limits", &cg_kind_object, CG_ROW_PLACE(struct cg_config, limits), .of = &all_limit_rows,
     .says = "What is beyond a limit is refused."},
    {"recorder", &cg_kind_object, CG_ROW_PLACE(struct cg_config, recorder), .of = &all_recorder_rows,
     .says = "What is kept of exchanges, to be looked at."},
    {"plugins", &cg_kind_object, .of = &all_plugin_rows, .says = "What is loaded at the start."},
    {"hooks", &cg_kind_object, .of = &all_hook_rows, .says = "Programs of others that hear of changes here."},
    {"key_files_may_be_shared", &cg_kind_bool, CG_ROW_PLACE(struct cg_config, key_files_may_be_shared),
     .fallback = "false", .flags = CG_ROW_FILE_ONLY,
     .says = "Take key files that group or others may read (containers' secrets)."},
    {"security_groups", &cg_kind_own_map, CG_ROW_PLACE(struct cg_config, security_groups), .max = 10000,
     .items = &security_group_items, .of = &cg_security_group_rows, .flags = CG_ROW_ITEMS, .fallback = "{}",
     .says = "Key files by name; what is prepared for a rekey is \"next\"."},
    {"clients", &cg_kind_own_map, CG_ROW_PLACE(struct cg_config, clients), .items = &client_items,
     .of = &cg_client_rows, .flags = CG_ROW_ITEMS, .fallback = "{}",
     .json = "'type': 'object', 'propertyNames': {'allOf': [{" NAME "}, {'not': {'const': 'anonymous'}}]}",
     .says = "Clients by name."},
    {"credentials", &cg_kind_own_map, CG_ROW_PLACE(struct cg_config, credentials), .max = 10000,
     .items = &credentials_items, .of = &cg_credentials_rows, .fallback = "{}", .flags = CG_ROW_FILE_ONLY,
     .says = "By which this gateway and next hops know each other, by name."},
    {"mappings", &cg_kind_mappings, CG_ROW_PLACE(struct cg_config, mappings), .max = MILLION, .items = &mapping_items,
     .of = &cg_mapping_rows, .flags = CG_ROW_ITEMS, .fallback = "[]", .says = "What stands at which path."},
    {"reactions", &cg_kind_own_list, CG_ROW_PLACE(struct cg_config, reactions), .max = CG_REACTIONS_MAX,
     .items = &reaction_items, .of = &cg_reaction_rows, .flags = CG_ROW_ITEMS, .fallback = "[]",
     .says = "Commands to groups that follow alerts of groups."},
};
const struct cg_rows cg_document_rows = {"", CG_ROWS(document_rows)};
