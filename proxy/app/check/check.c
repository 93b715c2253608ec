/* One request, told in full. The hard thing is that the check must be the real thing: the same gateway, sockets and
 * protectors as in service, so it stands at the edges only: a sink that writes down what it hears, and a port that
 * writes down what goes through it. */
#include "app/check/check.h"

#include "model/mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "io/endpoint.h"
#include "app/check/hints.h"
#include "io/loop.h"
#include "io/names.h"
#include "app/protectors.h"
#include "reply/sink.h"

enum {
    NAMES_PATIENCE_MS = 10000,
    SELF_TEST_PATIENCE_MS = 500,
    STRAGGLERS_MS = 200, /* after the end of collecting */
    REPLY_MARGIN_MS = 30000,
    SILENT_MAX = 32,
    HEX_A_LINE = 32,
    LABEL_WIDTH = 16,
};

/* A datagram that went out. */
struct emission {
    bool happened;
    struct cg_addr to;
    uint8_t *bytes;
    size_t len;
};

struct check {
    struct cg_sink sink;
    struct cg_config *config;
    struct cg_mapping *mapping;
    struct cg_loop loop;
    struct cg_port inner; /* the loop's own */
    struct cg_protectors protectors;
    struct cg_names *names;
    struct cg_interfaces interfaces;
    uv_timer_t timer;
    bool timed_out;
    bool interrupted;
    bool replied;
    struct cg_findings findings;
    struct emission *emissions; /* one a leg */
    unsigned more_emissions;    /* repairs, blocks, acknowledgements */
    uint64_t malformed_before;
    struct castgate_summary summary;
    struct cg_buf answers, rejections;
    char rejection[64];
    struct cg_silent silent[SILENT_MAX];
    size_t silent_count;
};

/* The sink: what it hears becomes lines, but for who is silent. */

static struct cg_slice borrow(struct castgate_slice slice) { return cg_slice_of(slice.data, slice.len); }

static void put_kid(struct cg_buf *to, bool has_kid, struct castgate_slice kid) {
    if (!has_kid) return;
    cg_buf_put_str(to, ", kid ");
    cg_buf_put_hex(to, borrow(kid));
}

static void tell_answer(struct cg_buf *to, const struct castgate_answer *answer) {
    char code[5];
    cg_code_text(answer->code, code);
    struct castgate_slice who = answer->from.len > 0 ? answer->from : answer->member;
    cg_buf_printf(to, "%-24.*s %s  %5u ms  %s", (int)who.len, (const char *)who.data, code, answer->ms,
                  answer->verified == CASTGATE_VERIFIED_SOURCE ? "verified" : "not verified");
    put_kid(to, answer->has_kid, answer->kid);
    if (answer->via == CASTGATE_VIA_UNICAST) cg_buf_put_str(to, ", asked by unicast");
    bool named = answer->from.len > 0 && !cg_slice_equal(borrow(answer->member), borrow(answer->from));
    if (named) cg_buf_printf(to, ", %.*s", (int)answer->member.len, (const char *)answer->member.data);
    cg_buf_printf(to, ", %zu bytes\n", answer->payload.len);
}

/* What somebody unknown says, on a person's terminal: in quotes, and nothing but printable ASCII. */
static void put_words(struct cg_buf *to, const struct castgate_rejected *rejected) {
    char code[5];
    if (rejected->code == CG_EMPTY) return;
    cg_code_text(rejected->code, code);
    cg_buf_printf(to, ", %s", code);
    if (rejected->diagnostic.len == 0) return;
    cg_buf_put_u8(to, ' ');
    size_t from = to->len;
    cg_buf_put_json(to, borrow(rejected->diagnostic));
    for (size_t i = from; i < to->len; i++) {
        if (to->data[i] < ' ' || to->data[i] > '~') to->data[i] = '?';
    }
}

static void tell_rejection(struct cg_buf *to, const struct castgate_rejected *rejected) {
    cg_buf_printf(to, "%-24.*s %.*s", (int)rejected->from.len, (const char *)rejected->from.data,
                  (int)rejected->reason.len, (const char *)rejected->reason.data);
    put_kid(to, rejected->kid.len > 0, rejected->kid);
    if (rejected->gid.len > 0) {
        cg_buf_put_str(to, ", group ");
        cg_buf_put_hex(to, borrow(rejected->gid));
    }
    put_words(to, rejected);
    cg_buf_put_u8(to, '\n');
}

static void hear_rejections(struct check *check, struct cg_reading *reading) {
    struct castgate_rejected rejected;
    uint32_t listed = 0, all = reading->view->summary.rejected;
    for (; cg_reading_rejected(reading, listed, &rejected); listed++) {
        tell_rejection(&check->rejections, &rejected);
        if (listed > 0) continue;
        snprintf(check->rejection, sizeof check->rejection, "%.*s", (int)rejected.reason.len,
                 (const char *)rejected.reason.data);
    }
    if (all > listed) cg_buf_printf(&check->rejections, "and %u more, counted only\n", (unsigned)(all - listed));
}

/* Only who has an address can be asked why. */
static void note_silent(struct check *check, const struct castgate_missing *missing) {
    struct cg_silent *silent = &check->silent[check->silent_count];
    if (cg_addr_parse(&silent->ping.to, borrow(missing->from), CG_COAP_PORT) < 0) return;
    snprintf(silent->name, sizeof silent->name, "%.*s", (int)missing->member.len, (const char *)missing->member.data);
    check->silent_count++;
}

static void hear(struct check *check, const struct cg_view *view) {
    struct cg_reading reading;
    struct castgate_answer answer;
    struct castgate_missing missing;
    check->summary = view->summary;
    cg_reading_init(&reading, view);
    for (size_t i = 0; cg_reading_answer(&reading, i, &answer); i++) tell_answer(&check->answers, &answer);
    hear_rejections(check, &reading);
    for (size_t i = 0; i < SILENT_MAX && cg_reading_missing(&reading, i, &missing); i++) note_silent(check, &missing);
    cg_reading_fini(&reading);
}

/* The core speaks right before the loop goes to sleep, which must not happen then. */
static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    struct check *check = CG_CONTAINER(sink, struct check, sink);
    (void)ending;
    if (how == CG_SINK_LEFT) return;
    check->replied = true;
    uv_stop(&check->loop.uv);
    check->findings.problem = *problem;
    if (problem->err == 0) hear(check, view);
}

static const struct cg_sink_ops sink_ops = {.end = on_end};

/* The port: the loop's, and a copy of what goes out */

static void keep_emission(struct emission *emission, const struct cg_route *route, struct cg_slice datagram) {
    emission->happened = true;
    emission->to = route->to;
    emission->bytes = malloc(datagram.len + 1);
    if (emission->bytes == NULL) return;
    memcpy(emission->bytes, datagram.data, datagram.len);
    emission->len = datagram.len;
}

static void note_emission(struct check *check, const struct cg_route *route, struct cg_slice datagram) {
    for (size_t i = 0; i < check->findings.leg_count; i++) {
        const struct cg_leg *leg = &check->findings.legs[i];
        if (check->emissions[i].happened || !cg_addr_equal(&leg->group, &route->to)) continue;
        if (!check->findings.unicast && leg->target->interface != route->interface) continue;
        keep_emission(&check->emissions[i], route, datagram);
        return;
    }
    check->more_emissions++;
}

static int on_emit(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    struct check *check = ctx;
    int err = check->inner.emit(check->inner.ctx, route, datagram, problem);
    if (err == CG_OK) note_emission(check, route, datagram);
    return err;
}

static void on_random(void *ctx, void *to, size_t len) {
    struct check *check = ctx;
    check->inner.random(check->inner.ctx, to, len);
}

static uint64_t on_kernel_drops(void *ctx) {
    struct check *check = ctx;
    return check->inner.kernel_drops(check->inner.ctx);
}

static uint32_t on_zone(void *ctx, const char *interface) {
    struct check *check = ctx;
    return check->inner.zone(check->inner.ctx, interface);
}

static bool on_link(void *ctx, const char *interface, const struct cg_addr *addr) {
    struct check *check = ctx;
    return check->inner.on_link(check->inner.ctx, interface, addr);
}

static void on_wake(void *ctx) {
    struct check *check = ctx;
    check->inner.wake(check->inner.ctx);
}

/* Waiting */

static void on_time(uv_timer_t *timer) {
    struct check *check = timer->data;
    check->timed_out = true;
}

typedef bool (*done_fn)(const struct check *check);

static bool never(const struct check *check) { return (void)check, false; }

static bool wait_until(struct check *check, done_fn done, uint64_t most_ms) {
    check->timed_out = false;
    uv_update_time(&check->loop.uv);
    CG_CHECK(uv_timer_start(&check->timer, on_time, most_ms, 0) == 0);
    while (!done(check) && !check->timed_out) uv_run(&check->loop.uv, UV_RUN_ONCE);
    uv_timer_stop(&check->timer);
    return done(check);
}

/* Whoever is tired of waiting still gets to see what came. */
static void on_signal(void *ctx, int number) {
    struct check *check = ctx;
    if (number == SIGHUP) return;
    check->interrupted = true;
    cg_gateway_stop(check->loop.gateway);
    cg_gateway_finish_all(check->loop.gateway);
}

/* The ways out */

static bool names_are_known(const struct check *check) {
    for (size_t i = 0; i < check->mapping->target_count; i++) {
        if (cg_target_group(&check->mapping->targets[i]).family == CG_FAMILY_NONE) return check->interrupted;
    }
    return true;
}

static bool has_address(const struct check *check, const struct cg_leg *leg) {
    return leg->group.family != CG_FAMILY_IPV4 || leg->by.has_ipv4 ||
           check->config->group.address.family == CG_FAMILY_IPV4;
}

static void find_interface(struct check *check, struct cg_leg *leg) {
    char name[IF_NAMESIZE];
    const char *wanted = leg->target->interface;
    if (check->findings.unicast) wanted = if_indextoname(cg_evidence_route(&leg->group).interface, name);
    if (check->findings.unicast && wanted == NULL) {
        cg_problem_set(&leg->problem, CG_E_EMIT, "there is no route to it");
        return;
    }
    leg->has_interface = cg_interfaces_find(&check->interfaces, wanted, &leg->by, &leg->problem) == CG_OK;
    const char *known = leg->has_interface ? leg->by.name : wanted;
    if (known != NULL && !cg_evidence_link(known, &leg->link)) return;
    if (!leg->has_interface || has_address(check, leg)) return;
    leg->has_interface = false;
    cg_problem_set(&leg->problem, CG_E_EMIT, "interface \"%s\" has no IPv4 address", leg->by.name);
}

/* As the core does it: a link-local member without zone is on the first target's link. */
static struct cg_addr with_zone(struct check *check, struct cg_addr addr) {
    bool misses_zone = cg_addr_is_link_local(&addr) && addr.scope == 0;
    if (misses_zone) addr.scope = on_zone(check, check->mapping->targets[0].interface);
    return addr;
}

/* To a group, IPv4 leaves with the interface's primary address; all else is the kernel's choice. */
static struct cg_addr own_source(const struct check *check, const struct cg_leg *leg) {
    struct cg_addr source = {.family = CG_FAMILY_IPV4};
    if (check->findings.unicast || leg->group.family != CG_FAMILY_IPV4)
        return cg_evidence_source(&leg->group, &leg->by);
    memcpy(source.ip, &leg->by.ipv4, sizeof leg->by.ipv4);
    return source;
}

static void look_at_leg(struct check *check, struct cg_leg *leg, const struct cg_target *target) {
    leg->target = target;
    leg->group = check->findings.unicast ? with_zone(check, check->mapping->members[0].addr) : cg_target_group(target);
    if (leg->group.family == CG_FAMILY_NONE) {
        cg_problem_set(&leg->problem, CG_E_EMIT, "%.*s is no group: %s", (int)target->host.len,
                       (const char *)target->host.data, target->resolved->why);
        return;
    }
    find_interface(check, leg);
    if (!leg->has_interface) return;
    leg->source = check->config->group.address;
    if (leg->source.family != leg->group.family) leg->source = own_source(check, leg);
    leg->source.port = cg_group_socket_port(check->loop.group, leg->group.family);
    if (cg_addr_is_link_local(&leg->source)) leg->source.scope = leg->by.index;
    leg->route = cg_evidence_route(&leg->group).interface;
    leg->is_joined = cg_evidence_is_joined(&leg->group, leg->by.index);
}

static bool self_test_arrived(const struct check *check) {
    return cg_gateway_totals(check->loop.gateway)->fates[CG_FATE_MALFORMED] > check->malformed_before;
}

/* Something that is no CoAP, from another port: unasked UDP, as answers to multicast are for a firewall. */
static bool send_self_test(const struct cg_leg *leg) {
    union cg_endpoint from, to;
    struct cg_addr own = leg->source;
    socklen_t len = cg_endpoint_from_addr(&to, &own);
    own.port = 0;
    cg_endpoint_from_addr(&from, &own);
    int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool sent = fd >= 0 && bind(fd, &from.any, len) == 0 && sendto(fd, "", 1, MSG_NOSIGNAL, &to.any, len) == 1;
    if (fd >= 0) close(fd);
    return sent;
}

static void test_itself(struct check *check, struct cg_leg *leg) {
    if (!leg->has_interface || leg->source.family == CG_FAMILY_NONE) return;
    check->malformed_before = cg_gateway_totals(check->loop.gateway)->fates[CG_FATE_MALFORMED];
    leg->self_test_done = send_self_test(leg);
    if (leg->self_test_done) leg->self_test_passed = wait_until(check, self_test_arrived, SELF_TEST_PATIENCE_MS);
}

/* Telling */

static void label(const char *text) { printf("%-*s", LABEL_WIDTH, text); }

static void print_addr(const struct cg_addr *addr) {
    char text[CG_ADDR_TEXT_MAX];
    cg_addr_emit(addr, text);
    fputs(text, stdout);
}

static void print_mapping(const struct cg_mapping *mapping) {
    static const char *const securities[] = {
        [CG_SECURITY_NONE] = "no protection", [CG_SECURITY_RELAY] = "relay", [CG_SECURITY_GROUP] = "protected"};
    label("mapping");
    printf("%s, %s", mapping->name, securities[mapping->security]);
    if (mapping->security == CG_SECURITY_GROUP) printf(" by %s", mapping->keys->name);
    printf(", answers for %g s\n", (double)mapping->timeout_us / 1e6);
}

static void print_interface(const struct cg_leg *leg) {
    label("interface");
    if (!leg->has_interface) {
        printf("none: %s\n", leg->problem.detail);
        return;
    }
    printf("%s, index %u, %s%s%s, MTU %u\n", leg->by.name, leg->by.index, leg->link.up ? "up" : "down",
           leg->link.running ? ", running" : "",
           leg->link.loopback    ? ", loopback"
           : leg->link.multicast ? ", multicast"
                                 : ", no multicast",
           leg->link.mtu);
}

static void print_leg(const struct check *check, const struct cg_leg *leg) {
    label(check->findings.unicast ? "only member" : "group");
    printf("%s", check->findings.unicast ? check->mapping->members[0].name : leg->target->uri);
    if (leg->group.family != CG_FAMILY_NONE && (leg->target->host.len > 0 || check->findings.unicast)) {
        fputs(", ", stdout);
        print_addr(&leg->group);
    }
    putchar('\n');
    print_interface(leg);
    if (!leg->has_interface) return;
    label("source");
    if (leg->source.family == CG_FAMILY_NONE) {
        puts("none: the interface has no fitting address");
    } else {
        print_addr(&leg->source);
        putchar('\n');
    }
    if (check->findings.unicast) return;
    label("hops");
    printf("%u\n", (unsigned)leg->target->hops);
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

static void print_hex(const struct emission *emission) {
    for (size_t i = 0; i < emission->len; i++) {
        if (i % HEX_A_LINE == 0) label("");
        printf("%02x%s", emission->bytes[i], i % HEX_A_LINE == HEX_A_LINE - 1 || i + 1 == emission->len ? "\n" : " ");
    }
}

static void print_emission(const struct emission *emission) {
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

static void print_silent(const struct check *check) {
    const char *title = "silent";
    for (size_t i = 0; i < check->silent_count; i++) {
        const struct cg_silent *silent = &check->silent[i];
        label(title);
        printf("%s: ", silent->name);
        switch (silent->ping.result) {
        case CG_PING_PONG: printf("answers a CoAP ping by unicast, %u ms\n", silent->ping.ms); break;
        case CG_PING_SILENT: puts("silent to a CoAP ping by unicast, too"); break;
        case CG_PING_ICMP: printf("ping by unicast: %s\n", silent->ping.what); break;
        case CG_PING_NOT_SENT: printf("cannot be pinged by unicast: %s\n", silent->ping.what); break;
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

static void print_wire(const struct check *check) {
    const struct cg_findings *findings = &check->findings;
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

static void print_icmp(const struct check *check) {
    unsigned count = 0;
    for (size_t i = 0; i < check->silent_count; i++) count += check->silent[i].ping.result == CG_PING_ICMP;
    label("ICMP errors");
    if (count > 0) {
        printf("%u, see \"silent\"\n", count);
    } else {
        puts(check->silent_count > 0 ? "none" : "none (no silent member with a known address was pinged)");
    }
}

static void print_result(const struct check *check) {
    const struct castgate_summary *summary = &check->summary;
    label("result");
    if (check->findings.problem.err < 0) {
        printf("no request, no reply: %s\n", check->findings.problem.detail);
        return;
    }
    printf("%u answered", summary->answered);
    if (summary->expected > 0) printf(" of %u expected", summary->expected);
    if (summary->failed > 0) printf(", %u with an error", summary->failed);
    printf(", %u rejected, %u late, %u duplicates; ended by %s after %u ms\n", summary->rejected, check->findings.late,
           summary->duplicates, check->interrupted ? "a signal" : summary->ended_by, summary->ms);
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

static void print_findings(const struct check *check) {
    for (size_t i = 0; i < check->findings.leg_count; i++) print_emission(&check->emissions[i]);
    if (check->findings.problem.err == 0) {
        print_lines("answers", &check->answers);
        if (check->answers.len == 0) label("answers"), puts("none");
        print_lines("rejected", &check->rejections);
        print_silent(check);
        print_wire(check);
        print_icmp(check);
    }
    print_result(check);
    print_hints(&check->findings);
}

/* The request */

static bool is_replied(const struct check *check) { return check->replied; }

static void request(struct check *check) {
    struct cg_ticket ticket;
    struct cg_gateway *gateway = check->loop.gateway;
    const struct cg_mapping *mapping = check->mapping;
    if (cg_gateway_new_exchange(gateway, &ticket, &check->findings.problem) < 0) return;
    struct cg_request *fresh = cg_gateway_request(gateway, ticket);
    fresh->method = CG_GET;
    fresh->may_be_anonymous = true;
    fresh->host = mapping->host == NULL ? CG_SLICE_NONE : cg_slice_str(mapping->host);
    fresh->path = cg_slice_str(mapping->path[0] == 0 ? "/" : mapping->path);
    check->sink.ops = &sink_ops;
    cg_gateway_start(gateway, ticket, &check->sink, cg_loop_now_us());
    wait_until(check, is_replied, 3 * mapping->timeout_us / 1000 + REPLY_MARGIN_MS);
}

static void ping_silent(struct check *check) {
    struct cg_ping pings[SILENT_MAX];
    for (size_t i = 0; i < check->silent_count; i++) {
        check->silent[i].ping.to = with_zone(check, check->silent[i].ping.to);
        check->silent[i].way = cg_evidence_route(&check->silent[i].ping.to);
        pings[i] = check->silent[i].ping;
    }
    cg_pings_run(pings, check->silent_count);
    for (size_t i = 0; i < check->silent_count; i++) check->silent[i].ping = pings[i];
}

static enum cg_family family_of(const struct cg_findings *findings) {
    return findings->legs[0].group.family == CG_FAMILY_IPV6 ? CG_FAMILY_IPV6 : CG_FAMILY_IPV4;
}

static void send_and_watch(struct check *check) {
    struct cg_findings *findings = &check->findings;
    struct cg_group_socket *group = check->loop.group;
    const struct cg_totals *totals = cg_gateway_totals(check->loop.gateway);
    const struct cg_totals before = *totals;
    uint64_t reverse = cg_evidence_reverse_path_drops(), drops = cg_group_socket_kernel_drops(group);
    cg_tap_open(&findings->tap, cg_group_socket_port(group, CG_FAMILY_IPV4),
                cg_group_socket_port(group, CG_FAMILY_IPV6));
    findings->tapped = findings->tap.fd >= 0;
    request(check);
    if (findings->problem.err == 0) wait_until(check, never, STRAGGLERS_MS);
    cg_tap_read(&findings->tap);
    cg_tap_close(&findings->tap);
    uv_run(&check->loop.uv, UV_RUN_NOWAIT); /* what the tap has seen is the gateway's to read, too */
    findings->received = totals->datagrams - before.datagrams;
    for (size_t i = 0; i < CG_FATE_COUNT; i++) findings->fates[i] = totals->fates[i] - before.fates[i];
    findings->reverse_path_drops = cg_evidence_reverse_path_drops() - reverse;
    findings->kernel_drops = cg_group_socket_kernel_drops(group) - drops;
    findings->buffer_asked = check->config->group.receive_buffer;
    findings->buffer_got = cg_group_socket_buffer(group, family_of(findings));
}

static void look_at_legs(struct check *check) {
    struct cg_findings *findings = &check->findings;
    for (size_t i = 0; i < findings->leg_count; i++) {
        look_at_leg(check, &findings->legs[i], &check->mapping->targets[i]);
        print_leg(check, &findings->legs[i]);
    }
    fflush(stdout);
    for (size_t i = 0; i < findings->leg_count && !check->interrupted; i++) test_itself(check, &findings->legs[i]);
}

static void conclude(struct check *check, struct cg_buf *rules) {
    struct cg_findings *findings = &check->findings;
    findings->answered = check->summary.answered;
    findings->missing = check->summary.missing;
    findings->rejected = check->summary.rejected;
    findings->late = (uint32_t)findings->fates[CG_FATE_LATE]; /* those after the reply, too */
    findings->first_rejection = check->rejection[0] == 0 ? NULL : check->rejection;
    findings->silent = check->silent;
    findings->silent_count = check->silent_count;
    if (findings->answered == 0 || findings->missing > 0) findings->has_rules = cg_evidence_rules(rules);
    findings->rules = cg_buf_slice(rules);
}

static int perform(struct check *check) {
    struct cg_buf rules;
    cg_buf_init(&rules, 0);
    cg_names_open(check->names, &check->loop.uv);
    if (!names_are_known(check)) wait_until(check, names_are_known, NAMES_PATIENCE_MS);
    print_mapping(check->mapping);
    look_at_legs(check);
    send_and_watch(check);
    if (check->findings.problem.err == 0 && !check->interrupted) ping_silent(check);
    conclude(check, &rules);
    print_findings(check);
    cg_buf_fini(&rules);
    return check->summary.answered > 0 ? CG_CHECK_ANSWERED : CG_CHECK_SILENT;
}

/* Getting ready */

static struct cg_mapping *find_mapping(struct cg_config *config, const char *name) {
    const struct cg_mapping *found = cg_mapping_by_name(config, name);
    if (found != NULL) return &config->mappings[found->number];
    fprintf(stderr, "castgate: no mapping is called \"%s\"%s", name, config->mapping_count > 0 ? "; there are:" : "");
    for (size_t i = 0; i < config->mapping_count; i++) fprintf(stderr, " %s", config->mappings[i].name);
    fputc('\n', stderr);
    return NULL;
}

/* Who may run this may read the keys: grants, methods and budgets are not what is checked. */
static bool open_mapping(struct cg_config *config, struct cg_mapping *mapping) {
    struct cg_grant *grant = cg_arena_zalloc(&config->arena, sizeof *grant);
    if (grant == NULL) return false;
    grant->methods = CG_METHODS_ALL;
    mapping->grants = grant;
    mapping->grant_count = 1;
    mapping->methods |= CG_METHOD_BIT(CG_GET);
    mapping->requests_per_minute = 0;
    config->http.strict = false;
    if (mapping->has_timeout) return true;
    mapping->has_timeout = true;
    mapping->timeout_us = (uint64_t)((mapping->leisure + 2) * 1e6);
    return true;
}

static bool port_is_taken(const struct cg_group_settings *group) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(group->port)};
    if (group->port == 0) return false;
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool taken = fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof any) != 0;
    if (fd >= 0) close(fd);
    return taken;
}

static void leave_port(struct cg_config *config) {
    if (!port_is_taken(&config->group)) return;
    printf("group.port %u is in use, by a gateway that runs perhaps: this check uses another one.\n",
           (unsigned)config->group.port);
    config->group.port = 0;
}

static bool prepare(struct check *check, struct cg_problem *problem) {
    struct cg_config *config = check->config;
    struct cg_findings *findings = &check->findings;
    const struct cg_mapping *mapping = check->mapping;
    *findings = (struct cg_findings){.config = config, .mapping = mapping, .tap = {.fd = -1}};
    findings->unicast = mapping->complete && mapping->member_count == 1 && mapping->target_count == 1 &&
                        mapping->members[0].addr.family != CG_FAMILY_NONE;
    findings->leg_count = mapping->target_count;
    findings->legs = calloc(mapping->target_count, sizeof *findings->legs);
    check->emissions = calloc(mapping->target_count, sizeof *check->emissions);
    check->names = cg_names_new(&(struct cg_names_options){0});
    if (findings->legs == NULL || check->emissions == NULL || check->names == NULL) {
        return cg_problem_no_memory(problem) == CG_OK;
    }
    return cg_interfaces_init(&check->interfaces, problem) == CG_OK &&
           cg_names_attach(check->names, config, problem) == CG_OK &&
           cg_protectors_attach(&check->protectors, config, problem) == CG_OK;
}

/* A plain mapping leaves the state folder to the gateway that may be running. */
static bool open_protectors(struct check *check, struct cg_problem *problem) {
    if (check->mapping->security != CG_SECURITY_GROUP) return true;
    return cg_protectors_open(&check->protectors, &check->loop.uv, check->loop.gateway, check->config, problem) ==
           CG_OK;
}

static int run_loop(struct check *check, struct cg_problem *problem) {
    if (cg_loop_init(&check->loop, check->config, on_signal, check, problem) < 0) return CG_CHECK_SETTINGS;
    check->inner = check->loop.port;
    check->loop.port = (struct cg_port){.ctx = check,
                                        .emit = on_emit,
                                        .random = on_random,
                                        .kernel_drops = on_kernel_drops,
                                        .zone = on_zone,
                                        .on_link = on_link,
                                        .wake = on_wake};
    CG_CHECK(uv_timer_init(&check->loop.uv, &check->timer) == 0);
    check->timer.data = check;
    int status = CG_CHECK_SETTINGS;
    if (open_protectors(check, problem)) status = perform(check);
    uv_close((uv_handle_t *)&check->timer, NULL);
    cg_protectors_close(&check->protectors, NULL, NULL);
    cg_names_close(check->names);
    cg_loop_close(&check->loop);
    cg_loop_run(&check->loop);
    cg_loop_fini(&check->loop);
    return status;
}

static void finish(struct check *check) {
    cg_protectors_fini(&check->protectors);
    cg_names_free(check->names);
    cg_interfaces_fini(&check->interfaces);
    cg_buf_fini(&check->answers);
    cg_buf_fini(&check->rejections);
    for (size_t i = 0; check->emissions != NULL && i < check->findings.leg_count; i++) free(check->emissions[i].bytes);
    free(check->emissions);
    free(check->findings.legs);
    free(check);
}

int cg_check_run(struct cg_config *config, const char *name) {
    struct cg_problem problem = {0};
    int status = CG_CHECK_SETTINGS;
    struct cg_mapping *mapping = find_mapping(config, name);
    if (mapping == NULL) return CG_CHECK_SETTINGS;
    if (mapping->security == CG_SECURITY_RELAY) {
        fprintf(stderr,
                "castgate: mapping \"%s\" relays what its clients have protected: only one of them can send such a "
                "request\n",
                name);
        return CG_CHECK_SETTINGS;
    }
    struct check *check = calloc(1, sizeof *check);
    if (check == NULL || !open_mapping(config, mapping)) {
        free(check);
        fputs("castgate: the system has no memory left\n", stderr);
        return CG_CHECK_SETTINGS;
    }
    check->config = config;
    check->mapping = mapping;
    check->interfaces = (struct cg_interfaces){.query_fd = -1, .news_fd = -1};
    cg_buf_init(&check->answers, 0);
    cg_buf_init(&check->rejections, 0);
    cg_log_set_level((enum cg_log_level)(CG_LOG_ERROR + 1)); /* it is all told in words */
    cg_protectors_init(&check->protectors);
    leave_port(config);
    if (prepare(check, &problem)) status = run_loop(check, &problem);
    if (problem.err < 0) fprintf(stderr, "castgate: %s\n", problem.detail);
    finish(check);
    return status;
}
