/* A check's report, in the order in which somebody looks for a fault: what goes out, by which way, what comes back,
 * what follows. */
#include "app/check/print.h"

#include <stdio.h>

#include "app/check/hints.h"
#include "model/mapping.h"
#include "wire/msg.h"

enum { HEX_A_LINE = 32, LABEL_WIDTH = 16 };

static void label(const char *text) { printf("%-*s", LABEL_WIDTH, text); }

static void print_addr(const struct cg_addr *addr) {
    char text[CG_ADDR_TEXT_MAX];
    cg_addr_emit(addr, text);
    fputs(text, stdout);
}

void cg_print_mapping(const struct cg_mapping *mapping) {
    static const char *const securities[] = {
        [CG_SECURITY_NONE] = "no protection", [CG_SECURITY_RELAY] = "relay", [CG_SECURITY_GROUP] = "protected"};
    label("mapping");
    printf("%s, %s", mapping->name, securities[mapping->security]);
    if (mapping->security == CG_SECURITY_GROUP) printf(" by %s", mapping->keys->name);
    printf(", answers for %g s\n", (double)mapping->timeout_us / 1e6);
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

static void print_hex(const struct cg_emission *emission) {
    for (size_t i = 0; i < emission->len; i++) {
        if (i % HEX_A_LINE == 0) label("");
        printf("%02x%s", emission->bytes[i], i % HEX_A_LINE == HEX_A_LINE - 1 || i + 1 == emission->len ? "\n" : " ");
    }
}

static void print_emission(const struct cg_emission *emission) {
    struct cg_buf text;
    struct cg_msg msg;
    if (!emission->happened || emission->bytes == NULL) return;
    label("datagram");
    printf("%zu bytes to ", emission->len);
    print_addr(&emission->to);
    putchar('\n');
    cg_buf_init(&text, 0);
    if (cg_msg_parse(&msg, cg_slice_of(emission->bytes, emission->len)) == CG_OK) put_decoded(&text, &msg);
    label("");
    fwrite(text.data, 1, text.len, stdout);
    putchar('\n');
    cg_buf_fini(&text);
    print_hex(emission);
}

static void print_lines(const char *title, const struct cg_buf *lines) {
    struct cg_slice rest = cg_buf_slice(lines);
    while (rest.len > 0) {
        size_t len = (size_t)((const uint8_t *)memchr(rest.data, '\n', rest.len) - rest.data);
        label(title);
        printf("%.*s\n", (int)len, (const char *)rest.data);
        rest = cg_slice_of(rest.data + len + 1, rest.len - len - 1);
        title = "";
    }
}

static void print_silent(const struct cg_findings *findings) {
    const char *title = "silent";
    for (size_t i = 0; i < findings->silent_count; i++) {
        const struct cg_silent *silent = &findings->silent[i];
        label(title);
        printf("%s: ", silent->name);
        switch (silent->probe.result) {
        case CG_PROBE_PONG: printf("answers a CoAP ping by unicast, %u ms\n", silent->probe.ms); break;
        case CG_PROBE_SILENT: puts("silent to a CoAP ping by unicast, too"); break;
        case CG_PROBE_ICMP: printf("ping by unicast: %s\n", silent->probe.what); break;
        case CG_PROBE_NOT_SENT: printf("cannot be pinged by unicast: %s\n", silent->probe.what); break;
        }
        title = "";
    }
}

/* Each datagram once, so that the figures here add up to those at the gateway. */
static void print_fates(const struct cg_findings *findings) {
    uint64_t open = findings->received;
    const char *comma = "";
    label("accounted");
    for (size_t i = 0; i < CG_FATE_COUNT; i++) {
        if (findings->fates[i] == 0) continue;
        printf("%s%s %llu", comma, cg_fate_names[i], (unsigned long long)findings->fates[i]);
        open -= findings->fates[i];
        comma = ", ";
    }
    if (open > 0) printf("%sstill being verified %llu", comma, (unsigned long long)open);
    puts(findings->received == 0 ? "nothing came" : "");
}

static void print_wire(const struct cg_findings *findings) {
    label("arrived");
    if (!findings->tapped) {
        printf("%llu datagrams at the gateway (what reached the interfaces is for root to see)\n",
               (unsigned long long)findings->received);
    } else if (findings->tap.lost > 0 || findings->tap.total < findings->received) {
        printf("%llu datagrams at the gateway (more than could be watched at the interfaces)\n",
               (unsigned long long)findings->received);
    } else {
        printf("%u datagrams for the gateway's port at this host's interfaces, %llu of them at the gateway\n",
               findings->tap.total, (unsigned long long)findings->received);
    }
    print_fates(findings);
    label("receive buffer");
    printf("%u bytes asked for, %u got; kernel drops: %llu\n", findings->buffer_asked, findings->buffer_got,
           (unsigned long long)findings->kernel_drops);
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

static void print_result(const struct cg_findings *findings, const struct castgate_summary *summary) {
    label("result");
    if (findings->problem.err < 0) {
        printf("no request, no reply: %s\n", findings->problem.detail);
        return;
    }
    printf("%u answered", summary->answered);
    if (summary->expected > 0) printf(" of %u expected", summary->expected);
    if (summary->failed > 0) printf(", %u with an error", summary->failed);
    printf(", %u rejected, %u late, %u duplicates; ended by %s after %u ms\n", summary->rejected, findings->late,
           summary->duplicates, findings->interrupted ? "a signal" : summary->ended_by, summary->ms);
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

void cg_print_findings(const struct cg_findings *findings, const struct cg_check_sink *heard,
                       const struct cg_emissions *emissions) {
    for (size_t i = 0; i < findings->outlet_count; i++) print_emission(&emissions->list[i]);
    if (findings->problem.err == 0) {
        print_lines("answers", &heard->answers);
        if (heard->answers.len == 0) label("answers"), puts("none");
        print_lines("rejected", &heard->rejections);
        print_silent(findings);
        print_wire(findings);
        print_icmp(findings);
    }
    print_result(findings, &heard->summary);
    print_hints(findings);
}
