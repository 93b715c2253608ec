/* A check's report, in the order in which somebody looks for a fault: what goes out, by which way, what comes back,
 * what follows. */
#include "app/check/print.h"

#include <stdio.h>

#include "app/check/hints.h"
#include "base/text.h"
#include "model/mapping.h"
#include "wire/msg.h"

enum { HEX_A_LINE = 32, LABEL_WIDTH = 16 };
#define CORE_LABEL "asked further"

static void label(const char *text) { printf("%-*s", LABEL_WIDTH, text); }

static void print_addr(const struct cg_addr *addr) {
    char text[CG_ADDR_TEXT_MAX];
    cg_addr_emit(addr, text);
    fputs(text, stdout);
}

enum { NAMED_MAX = 5 };

static void print_unreachable(const struct cg_mapping *mapping) {
    size_t count = 0;
    for (size_t i = 0; i < mapping->member_count; i++) {
        const struct cg_member *member = &mapping->members[i];
        if (!member->is_unicast_only) continue;
        if (count == 0) label("by unicast");
        if (count < NAMED_MAX) printf("%s%s", count == 0 ? "" : ", ", member->name);
        count++;
    }
    if (count > NAMED_MAX) printf(" and %zu more", count - NAMED_MAX);
    if (count > 0) puts(" (\"multicast\": false)");
}

void cg_print_mapping(const struct cg_findings *findings) {
    const struct cg_mapping *mapping = findings->mapping;
    static const char *const securities[] = {
        [CG_SECURITY_NONE] = "no protection", [CG_SECURITY_RELAY] = "relay", [CG_SECURITY_GROUP] = "protected"};
    label("mapping");
    printf("%s, %s", mapping->name, securities[mapping->security]);
    if (mapping->security == CG_SECURITY_GROUP) printf(" by %s", mapping->keys->name);
    if (mapping->has_timeout) {
        printf(", answers for %g s\n", (double)mapping->timeout_us / 1e6);
    } else {
        puts(", answers for as long as clients say");
    }
    print_unreachable(mapping);
    label("this check");
    printf("GET %s, %s, listens for %u s\n", findings->path,
           findings->beside ? "by the gateway that runs" : "by a gateway of its own", (unsigned)findings->listened_s);
}

static void print_interface(const struct cg_outlet *outlet) {
    label("interface");
    if (!outlet->has_interface) {
        printf("none: %s\n", outlet->problem.detail);
        return;
    }
    printf("%s, index %u, %s%s%s, MTU %u\n", outlet->by.name, outlet->by.index, outlet->link.up ? "up" : "down",
           outlet->link.running ? ", running" : "",
           outlet->link.loopback    ? ", loopback"
           : outlet->link.multicast ? ", multicast"
                                    : ", no multicast",
           outlet->link.mtu);
}

void cg_print_outlet(const struct cg_findings *findings, const struct cg_outlet *outlet) {
    label(findings->unicast ? "only member" : "group");
    printf("%s", findings->unicast ? findings->mapping->members[0].name : outlet->target->uri);
    if (outlet->group.family != CG_FAMILY_NONE && (outlet->target->host.len > 0 || findings->unicast)) {
        fputs(", ", stdout);
        print_addr(&outlet->group);
    }
    putchar('\n');
    print_interface(outlet);
    if (!outlet->has_interface) return;
    label("source");
    if (outlet->source.family == CG_FAMILY_NONE) {
        puts("none: the interface has no fitting address");
    } else {
        print_addr(&outlet->source);
        putchar('\n');
    }
    if (findings->unicast) return;
    label("hops");
    printf("%u\n", (unsigned)outlet->target->hops);
}

static const char *option_name(uint16_t number) {
    switch (number) {
    case CG_OPT_URI_HOST: return "Uri-Host";
    case CG_OPT_URI_PORT: return "Uri-Port";
    case CG_OPT_OSCORE: return "OSCORE";
    case CG_OPT_URI_PATH: return "Uri-Path";
    case CG_OPT_URI_QUERY: return "Uri-Query";
    case CG_OPT_ACCEPT: return "Accept";
    case CG_OPT_NO_RESPONSE: return "No-Response";
    default: return NULL;
    }
}

static void put_option(struct cg_buf *to, const struct cg_opt *opt) {
    const char *name = option_name(opt->number);
    bool is_text = opt->number == CG_OPT_URI_HOST || opt->number == CG_OPT_URI_PATH || opt->number == CG_OPT_URI_QUERY;
    if (name != NULL) {
        cg_buf_printf(to, ", %s ", name);
    } else {
        cg_buf_printf(to, ", option %u ", (unsigned)opt->number);
    }
    if (is_text) {
        cg_buf_put_json(to, opt->value);
    } else {
        cg_buf_put_hex(to, opt->value);
    }
}

static const char *code_name(uint8_t code) {
    const char *method = cg_method_name(code);
    if (method != NULL) return method;
    return code == CG_EMPTY ? "empty" : "?";
}

static void put_decoded(struct cg_buf *to, const struct cg_msg *msg) {
    static const char *const types[] = {"CON", "NON", "ACK", "RST"};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_buf_printf(to, "%s %s, MID %u, token ", types[msg->type & 3], code_name(msg->code), (unsigned)msg->mid);
    cg_buf_put_hex(to, cg_slice_of(msg->token.bytes, msg->token.len));
    cg_opt_iter_init(&iter, msg);
    while (cg_opt_next(&iter, &opt)) put_option(to, &opt);
    if (msg->payload.len > 0) cg_buf_printf(to, ", %zu bytes of payload", msg->payload.len);
}

static void print_hex(struct cg_slice bytes) {
    for (size_t i = 0; i < bytes.len; i++) {
        if (i % HEX_A_LINE == 0) label("");
        printf("%02x%s", bytes.data[i], i % HEX_A_LINE == HEX_A_LINE - 1 || i + 1 == bytes.len ? "\n" : " ");
    }
}

static void print_sending(const struct cg_check_sending *sending) {
    struct cg_buf text;
    struct cg_msg msg;
    if (sending->bytes.len == 0) return;
    label("datagram");
    printf("%zu bytes to ", sending->bytes.len);
    print_addr(&sending->to);
    putchar('\n');
    cg_buf_init(&text, 0);
    if (cg_msg_parse(&msg, cg_buf_slice(&sending->bytes)) == CG_OK) put_decoded(&text, &msg);
    label("");
    fwrite(text.data, 1, text.len, stdout);
    putchar('\n');
    cg_buf_fini(&text);
    print_hex(cg_buf_slice(&sending->bytes));
}

static void print_lines(const char *title, const struct cg_buf *lines) {
    struct cg_slice rest = cg_buf_slice(lines), line;
    while (cg_next_line(&rest, &line)) {
        label(title);
        printf("%.*s\n", (int)line.len, (const char *)line.data);
        title = "";
    }
}

static void print_ping(const struct cg_silent *silent) {
    static const char *const neighbours[] = {[CG_NEIGHBOUR_UNKNOWN] = "",
                                             [CG_NEIGHBOUR_DOUBTFUL] = "",
                                             [CG_NEIGHBOUR_PRESENT] = ", while its host is there on the link",
                                             [CG_NEIGHBOUR_ABSENT] =
                                                 ", and no host says on the link that it has the address"};
    switch (silent->probe.result) {
    case CG_PROBE_PONG: printf("answers a CoAP ping by unicast, %u ms\n", silent->probe.ms); break;
    case CG_PROBE_SILENT: printf("silent to a CoAP ping by unicast, too%s\n", neighbours[silent->neighbour]); break;
    case CG_PROBE_ICMP: printf("ping by unicast: %s\n", silent->probe.what); break;
    case CG_PROBE_NOT_SENT: printf("cannot be pinged by unicast: %s\n", silent->probe.what); break;
    }
}

static void print_word(const struct cg_silent *silent) {
    char code[5];
    cg_code_text(silent->word.code, code);
    label("");
    printf("%s: asked the same by unicast, ", silent->name);
    if (!silent->said) {
        puts("says nothing");
    } else if (silent->word.reason[0] == '\0') {
        printf("answers %s\n", code);
    } else {
        printf("is rejected: %s%s%s\n", silent->word.reason, silent->word.code == 0 ? "" : ", ",
               silent->word.code == 0 ? "" : code);
    }
}

static void print_silent(const struct cg_findings *findings) {
    for (size_t i = 0; i < findings->silent_count; i++) {
        const struct cg_silent *silent = &findings->silent[i];
        label(i == 0 ? "silent" : "");
        printf("%s: ", silent->name);
        print_ping(silent);
        if (silent->asked) print_word(silent);
    }
    if (!findings->core_asked) return;
    label(CORE_LABEL);
    printf("%u answered a request for the group's %s\n", findings->core.answered, CG_CHECK_CORE_PATH);
}

/* Each datagram once, so that the figures here add up to those at the gateway. */
static void print_fates(const struct cg_findings *findings) {
    const struct cg_check_result *group = &findings->group;
    uint32_t open = group->received;
    const char *comma = "";
    label("accounted");
    for (size_t i = 0; i < CG_FATE_COUNT; i++) {
        if (group->fates[i] == 0) continue;
        printf("%s%s %u", comma, cg_fate_names[i], group->fates[i]);
        open -= group->fates[i] < open ? group->fates[i] : open;
        comma = ", ";
    }
    if (open > 0) printf("%sstill being verified %u", comma, open);
    puts(group->received == 0 ? "nothing came" : "");
}

static void print_arrived(const struct cg_findings *findings) {
    const struct cg_check_result *group = &findings->group;
    label("arrived");
    if (!findings->tapped) {
        printf("%u datagrams at the gateway (what reached the interfaces %s)", group->received,
               findings->as_root ? "cannot be seen here: it takes CAP_NET_RAW" : "is for root to see");
    } else if (findings->tap.lost > 0 || findings->tap.total < group->received) {
        printf("%u datagrams at the gateway (more than could be watched at the interfaces)", group->received);
    } else {
        printf("%u datagrams for the gateway's port at this host's interfaces, %u of them at the gateway",
               findings->tap.total, group->received);
    }
    puts(findings->beside ? ", all of its traffic included" : "");
}

static void print_wire(const struct cg_findings *findings) {
    bool ipv6 = findings->outlets[0].group.family == CG_FAMILY_IPV6;
    print_arrived(findings);
    print_fates(findings);
    label("receive buffer");
    printf("%u bytes asked for, %u got; kernel drops: %u\n", findings->config->group.receive_buffer,
           ipv6 ? findings->facts.buffer_v6 : findings->facts.buffer_v4, findings->group.kernel_drops);
}

static void print_icmp(const struct cg_findings *findings) {
    unsigned count = 0;
    for (size_t i = 0; i < findings->silent_count; i++) count += findings->silent[i].probe.result == CG_PROBE_ICMP;
    label("ICMP errors");
    if (count > 0) {
        printf("%u, see \"silent\"\n", count);
    } else {
        puts(findings->silent_count > 0 ? "none" : "none (no silent member with a known address was pinged)");
    }
}

static void print_result(const struct cg_findings *findings) {
    const struct cg_check_result *group = &findings->group;
    label("result");
    if (findings->problem.err < 0) {
        printf("no request, no reply: %s\n", findings->problem.detail);
        return;
    }
    printf("%u answered", group->answered);
    if (group->expected > 0) printf(" of %u expected", group->expected);
    if (group->failed > 0) printf(", %u with an error", group->failed);
    if (group->over_time > 0) printf(", %u after the mapping's timeout", group->over_time);
    printf(", %u rejected, %u late, %u duplicates; ended by %s after %u ms\n", group->rejected,
           group->fates[CG_FATE_LATE], group->duplicates, findings->interrupted ? "a signal" : group->ended_by,
           group->ms);
}

static void print_hints(const struct cg_findings *findings) {
    struct cg_buf hints;
    cg_buf_init(&hints, 0);
    cg_hints_put(&hints, findings);
    if (hints.len > 0 && !hints.failed) {
        puts("hints");
        fwrite(hints.data, 1, hints.len, stdout);
    }
    cg_buf_fini(&hints);
}

void cg_print_findings(const struct cg_findings *findings) {
    const struct cg_check_result *group = &findings->group;
    for (size_t i = 0; i < group->sending_count; i++) print_sending(&group->sendings[i]);
    if (findings->problem.err == 0) {
        print_lines("answers", &group->answers);
        if (group->answers.len == 0) label("answers"), puts("none");
        print_lines("rejected", &group->rejections);
        print_silent(findings);
        print_wire(findings);
        print_icmp(findings);
    }
    print_result(findings);
    print_hints(findings);
}
