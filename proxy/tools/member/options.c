/* The command line of castgate-member. The hard thing: everything is checked here, so that no later part has to ask
 * whether N consecutive addresses or ports exist or whether groups and members speak the same IP version. */
#include "tools/member/options.h"

#include "base/check.h"
#include "base/text.h"
#include "wire/link_format.h"
#include "wire/uri.h"

#include <stdio.h>
#include <stdlib.h>

const char cg_member_usage[] =
    "usage: castgate-member --plain|--keys FILE [OPTION]...\n"
    "Simulates members of a CoAP group, for demonstrations and tests.\n"
    "\n"
    "  --group coap://G[:PORT]  the group to hear (default coap://224.0.1.187); may be repeated, up to 8 times\n"
    "  --count N                how many members (default 1)\n"
    "  --bind ADDRESS           the first member's own address, the others follow (default 127.1.0.1, or ::1, where\n"
    "                           the members take consecutive ports; of a member's file the address that it has); the\n"
    "                           port is that of the first group\n"
    "  --interface NAME         where to join the groups (default lo)\n"
    "  --plain                  without protection; has to be said\n"
    "  --keys FILE              protected, with keys from castgate-keys: group.json for many members, or\n"
    "                           member-ID.json for that one, on a host which nobody else's secrets are on. Such a\n"
    "                           member challenges who asks first after a start (Echo). On SIGHUP the file is read\n"
    "                           again; requests under the keys of before are answered, under the new ones, until a\n"
    "                           group request comes under these\n"
    "  --shared                 take the file although others may read it\n"
    "  --numbers FILE           where the members' sequence numbers are kept, so that none comes twice with the same\n"
    "                           keys (default: the file of --keys with .numbers behind its name, without .next).\n"
    "                           Programs that have the same keys in files of other names must share it\n"
    "  --mode group|pairwise    how protected members answer (default group)\n"
    "  --window-lost            protected members have lost their replay windows: they challenge first (Echo)\n"
    "  --delay MIN:MAX          answer so many milliseconds later, evenly random (default 0:0: at once, in order)\n"
    "  --loss P                 lose each datagram with probability P, in either direction, each member on its own\n"
    "  --duplicate P            send a datagram twice with probability P\n"
    "  --reorder                hold each datagram back for up to 20 ms, at random\n"
    "  --seed N                 makes delays, losses and all other chance repeatable\n"
    "  --resource /PATH=TEXT    one more resource, text/plain, GET; may be repeated\n"
    "  --big-size N             bytes of /big, a multiple of 64 (default 4096, at most 65536)\n"
    "  --links N                N more links in /.well-known/core, made up: 60 make it about 4 KiB, in blocks\n"
    "  --gm LINK                a link of a Group Manager there, such as\n"
    "                           '</ace-group/g1>;rt=core.osc.gm;sec-gp=g1'; may be repeated\n"
    "  --rd                     a small Resource Directory: /rd-lookup/ep and /rd-lookup/res, with page and count\n"
    "  --rd-entry LINK          what is registered there: with ep=NAME an endpoint or group, else a resource; may be\n"
    "                           repeated\n"
    "  --max-age S              Max-Age of every representation (default: none, which means 60)\n"
    "  --changes S              each member's /light changes by itself every S seconds (0.001 to 86400), counting up;\n"
    "                           members take turns within these\n"
    "  --fail K[:CODE]          the last K members answer every request with CODE (default 4.04), group requests too\n"
    "  --no-deduplication       members keep no memory of Message IDs (RFC 7252 4.5 lets them): a message that comes\n"
    "                           twice is taken up twice, and protected members take it for a replay\n"
    "  --answer-errors          members answer group requests with their errors; normally these are suppressed\n"
    "                           (RFC 10020, Response Suppression). A No-Response option decides either way.\n"
    "                           Protected members also say why they cannot open a group request\n"
    "  --misbehave KIND         answer wrongly:\n"
    "                             garbage      random bytes, or the answer damaged or cut off\n"
    "                             oversized    60 000 bytes of payload in one datagram\n"
    "                             repeat:N     the answer N times, each with a fresh Message ID\n"
    "                             con          Confirmable answers to Non-confirmable requests\n"
    "                             wrong-token  a random token of the right length\n"
    "                             late:MS      so many milliseconds after the answer was due\n"
    "                             request-mid  with the Message ID of the request\n"
    "                           and protected members also:\n"
    "                             flip         a bit of the protected payload is another\n"
    "                             truncate     the protected payload lacks its last byte\n"
    "                             unprotected  without protection\n"
    "                             stranger     under a kid that nobody has\n"
    "                             impostor     under the next member's kid, without its private key\n"
    "                             replay       again the answer to the request before\n"
    "                             repeat-piv   two different answers with the same Partial IV\n"
    "  --alert URI              simulates nobody: one protected member sends a request of its own, by unicast, prints\n"
    "                           the code of the answer, and ends; exit 0 for 2.xx. With --keys, --numbers, --bind, "
    "and\n"
    "                           --mode (default: pairwise where the group has that mode)\n"
    "  --from ID, --to ID       Sender IDs of who sends it and who is to take it, in hexadecimal (default: the only\n"
    "                           ones; of a group's file the second is the gateway)\n"
    "  --body TEXT              what it says\n"
    "  --method NAME            its method (default POST)\n"
    "  --replay N               sends the same bytes N times more, and says what came of it\n"
    "  --flip                   a bit of the protected payload is another\n"
    "  -h, --help               this text\n"
    "\n"
    "Resources: /status (JSON, names the member), /light (GET, PUT of text, observable), /big (4 KiB, Block2),\n"
    "/slow (answers after 2 s), /firmware (PUT, also in blocks by Block1 with Request-Tag, 1 MiB at most; GET says "
    "its\n"
    "size and SHA-256, no more is kept of it), /.well-known/core. Prints \"ready N\" once all listen; runs until "
    "SIGTERM or\n"
    "SIGINT.\n";

typedef bool take_fn(struct cg_member_options *options, const char *value);

static bool take_number(const char *text, uint64_t max, uint64_t *number) {
    return cg_decimal_parse(cg_slice_str(text), max, number) == CG_OK;
}

static bool take_u32(const char *text, uint64_t max, uint32_t *number) {
    uint64_t wide;
    if (!take_number(text, max, &wide)) return false;
    *number = (uint32_t)wide;
    return true;
}

static bool take_probability(const char *text, double *probability) {
    char *end;
    *probability = strtod(text, &end);
    return end != text && *end == '\0' && *probability >= 0 && *probability <= 1;
}

static bool take_group(struct cg_member_options *options, const char *value) {
    struct cg_uri uri;
    if (options->groups_len == CG_MEMBER_GROUPS_MAX) return false;
    if (cg_uri_parse(&uri, cg_slice_str(value), NULL) != CG_OK || cg_uri_check_group(&uri, NULL) != CG_OK) return false;
    if (uri.addr.family == CG_FAMILY_NONE || uri.path.len > 1 || uri.has_query || uri.zone.len > 0) return false;
    options->groups[options->groups_len++] = uri.addr;
    return true;
}

static bool take_count(struct cg_member_options *options, const char *value) {
    return take_u32(value, CG_MEMBER_COUNT_MAX, &options->count) && options->count > 0;
}

static bool take_bind(struct cg_member_options *options, const char *value) {
    options->has_bind = true;
    return cg_addr_parse_ip(&options->bind, cg_slice_str(value)) == CG_OK && !cg_addr_is_multicast(&options->bind);
}

static bool take_interface(struct cg_member_options *options, const char *value) {
    options->interface = value;
    return *value != '\0';
}

static bool take_delay(struct cg_member_options *options, const char *value) {
    const char *colon = strchr(value, ':');
    uint64_t max = 3600 * 1000, number;
    if (colon == NULL) return false;
    if (cg_decimal_parse(cg_slice_of(value, (size_t)(colon - value)), max, &number) != CG_OK) return false;
    options->delay_min_ms = (uint32_t)number;
    return take_u32(colon + 1, max, &options->delay_max_ms) && options->delay_min_ms <= options->delay_max_ms;
}

static bool take_loss(struct cg_member_options *options, const char *value) {
    return take_probability(value, &options->loss);
}

static bool take_duplicate(struct cg_member_options *options, const char *value) {
    return take_probability(value, &options->duplicate);
}

static bool take_keys(struct cg_member_options *options, const char *value) {
    options->keys = value;
    return *value != '\0';
}

static bool take_numbers(struct cg_member_options *options, const char *value) {
    options->numbers = value;
    return *value != '\0';
}

static bool take_mode(struct cg_member_options *options, const char *value) {
    options->has_mode = true;
    options->pairwise = strcmp(value, "pairwise") == 0;
    return options->pairwise || strcmp(value, "group") == 0;
}

/* Whom it may be sent to is checked here; its path and query where it is sent. */
static bool take_alert(struct cg_member_options *options, const char *value) {
    struct cg_uri uri;
    options->alert = value;
    return cg_uri_parse(&uri, cg_slice_str(value), NULL) == CG_OK && uri.scheme == CG_SCHEME_COAP &&
           uri.addr.family != CG_FAMILY_NONE && !cg_addr_is_multicast(&uri.addr);
}

static bool take_from(struct cg_member_options *options, const char *value) {
    options->alert_from = value;
    return true;
}

static bool take_to(struct cg_member_options *options, const char *value) {
    options->alert_to = value;
    return true;
}

static bool take_body(struct cg_member_options *options, const char *value) {
    options->alert_body = value;
    return true;
}

static bool take_method(struct cg_member_options *options, const char *value) {
    options->alert_method = (uint8_t)cg_method_code(value);
    return options->alert_method != 0;
}

static bool take_replay(struct cg_member_options *options, const char *value) {
    return take_u32(value, 1000, &options->alert_replays);
}

static bool take_seed(struct cg_member_options *options, const char *value) {
    options->has_seed = true;
    return take_number(value, UINT64_MAX, &options->seed);
}

static bool take_resource(struct cg_member_options *options, const char *value) {
    const char *equals = strchr(value, '=');
    if (options->resources_len == CG_MEMBER_RESOURCES_MAX || *value != '/' || equals == NULL) return false;
    if (strlen(equals + 1) > CG_MEMBER_TEXT_MAX) return false;
    struct cg_member_resource *resource = &options->resources[options->resources_len++];
    resource->path = cg_slice_of(value + 1, (size_t)(equals - value - 1));
    resource->text = equals + 1;
    return true;
}

static bool take_links(struct cg_member_options *options, const char *value) {
    return take_u32(value, CG_MEMBER_LINKS_MAX, &options->links);
}

/* Exactly one. */
static bool is_link(const char *value) {
    struct cg_link_reader reader;
    struct cg_link link;
    cg_link_reader_init(&reader, cg_slice_str(value));
    return cg_link_next(&reader, &link) && !cg_link_next(&reader, &link) && reader.err == 0;
}

static bool take_entry(struct cg_member_options *options, const char *value) {
    if (options->entries_len == CG_MEMBER_ENTRIES_MAX || !is_link(value)) return false;
    options->entries[options->entries_len++] = value;
    return true;
}

static bool take_security_group(struct cg_member_options *options, const char *value) {
    if (options->security_groups_len == CG_MEMBER_RESOURCES_MAX || !is_link(value)) return false;
    options->security_groups[options->security_groups_len++] = value;
    return true;
}

static bool take_big_size(struct cg_member_options *options, const char *value) {
    return take_u32(value, CG_MEMBER_BIG_MAX, &options->big_size) && options->big_size % CG_MEMBER_BIG_LINE == 0;
}

static bool take_max_age(struct cg_member_options *options, const char *value) {
    options->has_max_age = true;
    return take_u32(value, UINT32_MAX, &options->max_age);
}

static bool take_changes(struct cg_member_options *options, const char *value) {
    char *end;
    double seconds = strtod(value, &end);
    if (end == value || *end != '\0' || !(seconds >= 0.001 && seconds <= 86400)) return false;
    options->changes_us = (uint64_t)(seconds * 1e6);
    return true;
}

/* "K" or "K:4.04". */
static bool take_fail(struct cg_member_options *options, const char *value) {
    const char *colon = strchr(value, ':');
    size_t digits = colon == NULL ? strlen(value) : (size_t)(colon - value);
    uint64_t count;
    if (cg_decimal_parse(cg_slice_of(value, digits), CG_MEMBER_COUNT_MAX, &count) != CG_OK) return false;
    options->fail_count = (uint32_t)count;
    if (colon == NULL) return true;
    const char *code = colon + 1;
    uint64_t detail;
    if ((code[0] != '4' && code[0] != '5') || code[1] != '.' || strlen(code) != 4) return false;
    if (!take_number(code + 2, 31, &detail)) return false;
    options->fail_code = (uint8_t)CG_CODE(code[0] - '0', detail);
    return true;
}

static bool take_misbehave(struct cg_member_options *options, const char *value) {
    static const struct {
        const char *name; /* ends with ':' where a number follows */
        enum cg_misbehave kind;
        uint32_t max;
    } kinds[] = {
        {"garbage", CG_MISBEHAVE_GARBAGE, 0},         {"oversized", CG_MISBEHAVE_OVERSIZED, 0},
        {"repeat:", CG_MISBEHAVE_REPEAT, 1000},       {"con", CG_MISBEHAVE_CON, 0},
        {"late:", CG_MISBEHAVE_LATE, 3600000},        {"wrong-token", CG_MISBEHAVE_WRONG_TOKEN, 0},
        {"request-mid", CG_MISBEHAVE_REQUEST_MID, 0}, {"flip", CG_MISBEHAVE_FLIP, 0},
        {"truncate", CG_MISBEHAVE_TRUNCATE, 0},       {"unprotected", CG_MISBEHAVE_UNPROTECTED, 0},
        {"stranger", CG_MISBEHAVE_STRANGER, 0},       {"impostor", CG_MISBEHAVE_IMPOSTOR, 0},
        {"replay", CG_MISBEHAVE_REPLAY, 0},           {"repeat-piv", CG_MISBEHAVE_REPEAT_PIV, 0},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t len = strlen(kinds[i].name);
        options->misbehave = kinds[i].kind;
        if (kinds[i].max == 0 && strcmp(value, kinds[i].name) == 0) return true;
        if (kinds[i].max > 0 && strncmp(value, kinds[i].name, len) == 0)
            return take_u32(value + len, kinds[i].max, &options->misbehave_number) && options->misbehave_number > 0;
    }
    return false;
}

static const struct {
    const char *name;
    take_fn *take;
} valued[] = {
    {"--links", take_links},         {"--rd-entry", take_entry},  {"--gm", take_security_group},
    {"--group", take_group},         {"--count", take_count},     {"--bind", take_bind},
    {"--interface", take_interface}, {"--delay", take_delay},     {"--loss", take_loss},
    {"--duplicate", take_duplicate}, {"--seed", take_seed},       {"--resource", take_resource},
    {"--max-age", take_max_age},     {"--fail", take_fail},       {"--misbehave", take_misbehave},
    {"--keys", take_keys},           {"--mode", take_mode},       {"--numbers", take_numbers},
    {"--big-size", take_big_size},   {"--changes", take_changes}, {"--alert", take_alert},
    {"--from", take_from},           {"--to", take_to},           {"--body", take_body},
    {"--method", take_method},       {"--replay", take_replay},
};

/* The options without a value; false when `name` is none of them. */
static bool take_flag(struct cg_member_options *options, const char *name, bool *plain) {
    if (strcmp(name, "--plain") == 0) return *plain = true;
    if (strcmp(name, "--window-lost") == 0) return options->window_lost = true;
    if (strcmp(name, "--rd") == 0) return options->is_directory = true;
    if (strcmp(name, "--reorder") == 0) return options->reorder = true;
    if (strcmp(name, "--shared") == 0) return options->may_be_shared = true;
    if (strcmp(name, "--no-deduplication") == 0) return options->forgets_messages = true;
    if (strcmp(name, "--flip") == 0) return options->alert_flip = true;
    if (strcmp(name, "--answer-errors") == 0) return options->answer_errors = true;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return options->help = true;
    return false;
}

static take_fn *find_valued(const char *argument) {
    for (size_t i = 0; i < sizeof valued / sizeof *valued; i++) {
        size_t len = strlen(valued[i].name);
        if (strncmp(argument, valued[i].name, len) == 0 && (argument[len] == '\0' || argument[len] == '='))
            return valued[i].take;
    }
    return NULL;
}

static int fail(char *error, const char *about, const char *sentence) {
    (void)snprintf(error, CG_MEMBER_ERROR_MAX, "%s: %s", about, sentence);
    return CG_E_BAD_REQUEST;
}

/* Fills in what was not said, and checks what depends on several options. */
static int complete(struct cg_member_options *options, char *error) {
    if (options->groups_len == 0) {
        int err = cg_addr_parse(&options->groups[options->groups_len++], cg_slice_str("224.0.1.187"), CG_COAP_PORT);
        CG_CHECK(err == CG_OK);
    }
    uint8_t family = options->groups[0].family;
    for (size_t i = 0; i < options->groups_len; i++)
        if (options->groups[i].family != family)
            return fail(error, "--group", "all groups must have the same IP version");
    if (options->bind.family == CG_FAMILY_NONE) {
        int err = cg_addr_parse_ip(&options->bind, cg_slice_str(family == CG_FAMILY_IPV4 ? "127.1.0.1" : "::1"));
        CG_CHECK(err == CG_OK);
    }
    if (options->bind.family != family) return fail(error, "--bind", "must have the groups' IP version");
    options->bind.port = options->groups[0].port;
    uint32_t last = options->count - 1;
    if (family == CG_FAMILY_IPV6 && options->bind.port + last > UINT16_MAX)
        return fail(error, "--count", "there are not so many ports from the group's port on");
    if (family == CG_FAMILY_IPV4 && cg_uint_parse(cg_addr_ip(&options->bind)) > UINT32_MAX - last)
        return fail(error, "--count", "there are not so many addresses from --bind on");
    if (options->fail_count > options->count) return fail(error, "--fail", "there are not so many members");
    return CG_OK;
}

int cg_member_options_parse(struct cg_member_options *options, int argc, const char *const argv[],
                            char error[CG_MEMBER_ERROR_MAX]) {
    *options = (struct cg_member_options){
        .count = 1, .interface = "lo", .fail_code = CG_CODE(4, 4), .big_size = 4096, .alert_method = CG_POST};
    bool plain = false;
    for (int i = 1; i < argc; i++) {
        if (take_flag(options, argv[i], &plain)) {
            if (options->help) return CG_OK;
            continue;
        }
        take_fn *take = find_valued(argv[i]);
        if (take == NULL) return fail(error, argv[i], "unknown option (see --help)");
        const char *name = argv[i], *value = strchr(name, '=');
        if (value != NULL) {
            value++;
        } else if (++i < argc) {
            value = argv[i];
        } else {
            return fail(error, name, "needs a value");
        }
        if (!take(options, value)) return fail(error, name, "this value cannot be used (see --help)");
    }
    if (plain == (options->keys != NULL))
        return fail(error, "--keys", "either this or --plain: members without protection are only started on purpose");
    if (plain && options->numbers != NULL)
        return fail(error, "--numbers", "sequence numbers are protected members' (--keys)");
    if (plain && options->may_be_shared) return fail(error, "--shared", "is about a file of keys (--keys)");
    bool about_alert = options->alert_from != NULL || options->alert_to != NULL || options->alert_body != NULL ||
                       options->alert_replays > 0 || options->alert_flip;
    if (options->alert == NULL && about_alert)
        return fail(error, "--alert", "--from, --to, --body, --replay and --flip are about an alert");
    if (plain && options->alert != NULL) return fail(error, "--alert", "alerts are protected members' (--keys)");
    if (plain && options->misbehave >= CG_MISBEHAVE_FLIP)
        return fail(error, "--misbehave", "this kind is for protected members (--keys)");
    return complete(options, error);
}

struct cg_addr cg_member_address(const struct cg_member_options *options, uint32_t index) {
    struct cg_addr addr = options->bind;
    if (addr.family == CG_FAMILY_IPV6) {
        addr.port = (uint16_t)(addr.port + index);
        return addr;
    }
    uint32_t ip = cg_uint_parse(cg_addr_ip(&addr)) + index;
    for (int i = 0; i < 4; i++) addr.ip[i] = (uint8_t)(ip >> (24 - 8 * i));
    return addr;
}
