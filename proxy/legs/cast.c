/* One group request to one target: seal, wait for the group's turn, one datagram, then every answer on its token. The
 * hard thing: one cast may serve several exchanges, each with its own deadline, and ends with the last of them. */
#include "legs/endpoint.h"
#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "base/text.h"

#include <stdlib.h>

/* A cast that has been out this long is not joined any more: members may have decided on their leisure already. */
enum { JOIN_WINDOW_US = 50000 };

static void pump(struct cg_gateway *gateway, struct cg_pace *pace);

/* Shapes: what makes two requests the same, and all that is needed to make one again. */

struct shape_head {
    uint32_t method, expects_answers, options;
};

struct shape_option {
    uint32_t number, len;
};

static void emit_shape(struct cg_buf *shape, const struct cg_group_request *request) {
    struct shape_head head = {request->method, request->expects_answers, (uint32_t)request->options.count};
    cg_buf_put(shape, &head, sizeof head);
    for (size_t i = 0; i < request->options.count; i++) {
        const struct cg_opt *opt = &request->options.list[i];
        struct shape_option option = {opt->number, (uint32_t)opt->value.len};
        cg_buf_put(shape, &option, sizeof option);
        cg_buf_put_slice(shape, opt->value);
    }
    cg_buf_put_slice(shape, request->payload);
}

static const uint8_t *read_struct(void *to, size_t size, const uint8_t *at) {
    memcpy(to, at, size);
    return at + size;
}

/* The request of this shape, but for its target. Its option list is to be freed; false: no memory for it. */
static bool parse_shape(struct cg_group_request *request, struct cg_slice shape) {
    struct shape_head head;
    const uint8_t *at = read_struct(&head, sizeof head, shape.data);
    struct cg_opt *list = calloc((size_t)head.options + 1, sizeof *list);
    if (list == NULL) return false;
    for (size_t i = 0; i < head.options; i++) {
        struct shape_option option;
        at = read_struct(&option, sizeof option, at);
        list[i] = (struct cg_opt){.number = (uint16_t)option.number, .value = cg_slice_of(at, option.len)};
        at += option.len;
    }
    *request = (struct cg_group_request){
        .method = (uint8_t)head.method,
        .expects_answers = head.expects_answers != 0,
        .options = {.list = list, .count = head.options},
        .payload = cg_slice_of(at, (size_t)(shape.data + shape.len - at)),
    };
    return true;
}

static bool may_join(const struct cg_gateway *gateway, const struct cg_cast *cast) {
    if (cast->state != CG_CAST_SENT) return true;
    return !cast->answered && !cast->is_outdated && gateway->now_us - cast->sent_us < JOIN_WINDOW_US;
}

/* Its answers may be older than the request that joins, which the reply says. */
static void note_joining(const struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_cast *cast) {
    if (cast->state != CG_CAST_SENT) return;
    uint64_t age_us = gateway->now_us - cast->sent_us + 1; /* never 0 */
    if (age_us > exchange->joined_us) exchange->joined_us = age_us;
}

bool cg_cast_join(struct cg_gateway *gateway, struct cg_subscription *subscription,
                  const struct cg_group_request *request) {
    bool safe = CG_METHOD_BIT(request->method) & CG_METHODS_SAFE;
    const struct cg_mapping *mapping = subscription->exchange->mapping;
    if (!safe || mapping->security == CG_SECURITY_RELAY) return false;
    struct cg_buf shape;
    cg_buf_init(&shape, 0);
    emit_shape(&shape, request);
    uint32_t hash = cg_fnv(CG_FNV_START, shape.data, shape.len);
    struct cg_cast *cast = shape.failed ? NULL : gateway->all_casts;
    for (; cast != NULL; cast = cast->next) {
        if (cast->shape != hash || cast->mapping != mapping || cast->target != request->target) continue;
        if (may_join(gateway, cast) && cg_slice_equal(cg_buf_slice(&shape), cg_buf_slice(&cast->shape_bytes))) break;
    }
    cg_buf_fini(&shape);
    if (cast == NULL) return false;
    uint64_t give_up_us = gateway->now_us + cg_longest_wait(subscription->exchange->timeout_us);
    if (give_up_us > cast->give_up_us) cast->give_up_us = give_up_us;
    note_joining(gateway, subscription->exchange, cast);
    subscription->cast = cast;
    subscription->next_of_cast = cast->subscriptions;
    subscription->state = cast->state == CG_CAST_SENT ? CG_SUBSCRIPTION_SENT : CG_SUBSCRIPTION_WAITS;
    subscription->sent_us = gateway->now_us;
    cast->subscriptions = subscription;
    return true;
}

/* Ends. */

static void leave_queue(struct cg_cast *cast) {
    struct cg_cast **link = &cast->pace->first, *before = NULL;
    while (*link != cast) {
        before = *link;
        link = &before->next_waiting;
    }
    *link = cast->next_waiting;
    if (cast->pace->last == cast) cast->pace->last = before;
    cast->next_waiting = NULL;
}

static void settle(struct cg_gateway *gateway, struct cg_cast *cast) {
    if (!cast->outstanding) return;
    cast->outstanding = false;
    cg_pace_settled(cast->pace);
    pump(gateway, cast->pace);
}

static void free_cast(struct cg_gateway *gateway, struct cg_cast *cast) {
    if (cast->state == CG_CAST_WAITING) leave_queue(cast);
    cg_gateway_clear_timer(gateway, &cast->timer);
    settle(gateway, cast);
    if (cast->pace != NULL) cast->pace->casts--;
    if (cast->token != NULL) cg_token_spend(gateway, cast->token);
    if (cast->previous == NULL) {
        gateway->all_casts = cast->next;
    } else {
        cast->previous->next = cast->next;
    }
    if (cast->next != NULL) cast->next->previous = cast->previous;
    cg_slots_remove(&gateway->casts, cast->ticket); /* what the protector still delivers finds nothing */
    cast->mapping->protector->ops->release(cast->mapping->protector, cast->binding);
    cg_buf_fini(&cast->datagram);
    cg_buf_fini(&cast->shape_bytes);
    cg_config_unref(cast->config);
    free(cast);
}

static void fail_subscription(struct cg_gateway *gateway, struct cg_subscription *subscription,
                              const struct cg_problem *problem) {
    subscription->cast = NULL;
    subscription->state = CG_SUBSCRIPTION_FAILED;
    subscription->exchange->problem = *problem;
    cg_gateway_wake(gateway, subscription->exchange);
}

static void fail(struct cg_gateway *gateway, struct cg_cast *cast, const struct cg_problem *problem) {
    while (cast->subscriptions != NULL) {
        struct cg_subscription *subscription = cast->subscriptions;
        cast->subscriptions = subscription->next_of_cast;
        fail_subscription(gateway, subscription, problem);
    }
    free_cast(gateway, cast);
}

void cg_cast_leave(struct cg_gateway *gateway, struct cg_subscription *subscription) {
    struct cg_cast *cast = subscription->cast;
    if (cast == NULL) return;
    struct cg_subscription **link = &cast->subscriptions;
    while (*link != subscription) link = &(*link)->next_of_cast;
    *link = subscription->next_of_cast;
    subscription->cast = NULL;
    if (cast->subscriptions == NULL) free_cast(gateway, cast);
}

/* The way out. */

/* R44: a request that a 6LoWPAN must fragment is lost more often. Said once a mapping, not with every request. */
static void warn_of_size(const struct cg_gateway *gateway, const struct cg_cast *cast) {
    uint32_t most = gateway->config->group.frame_size;
    struct cg_stats *stats = cast->mapping->stats;
    if (most == 0 || cast->datagram.len <= most || stats->warned_of_size) return;
    stats->warned_of_size = true;
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_WARNING, "large-request");
    cg_log_str(&line, "mapping", cast->mapping->name);
    cg_log_u64(&line, "bytes", cast->datagram.len);
    cg_log_u64(&line, "frame_size", most);
    cg_log_end(&line);
}

/* Whoever asks after something was changed must not get answers from before. */
static void outdate_group(struct cg_gateway *gateway, const struct cg_addr *group) {
    for (struct cg_cast *it = gateway->all_casts; it != NULL; it = it->next) {
        if (it->state == CG_CAST_SENT && cg_addr_equal(&it->group, group)) it->is_outdated = true;
    }
}

static void sent(struct cg_gateway *gateway, struct cg_cast *cast) {
    warn_of_size(gateway, cast);
    if (!cast->is_safe) outdate_group(gateway, &cast->group);
    cast->state = CG_CAST_SENT;
    cast->sent_us = gateway->now_us;
    cast->request = ++gateway->requests;
    cast->outstanding = cast->expects_answers;
    cg_pace_sent(cast->pace, cast->datagram.len, cast->expects_answers);
    cast->mapping->stats->sent++;
    cg_buf_fini(&cast->datagram);
    for (struct cg_subscription *it = cast->subscriptions; it != NULL; it = it->next_of_cast) {
        it->state = CG_SUBSCRIPTION_SENT;
        it->sent_us = cast->sent_us;
        cg_gateway_wake(gateway, it->exchange);
    }
}

static void emit(struct cg_gateway *gateway, struct cg_cast *cast) {
    struct cg_route route = {.to = cast->group, .interface = cast->target->interface, .hops = cast->target->hops};
    struct cg_problem problem = {0};
    cg_gateway_clear_timer(gateway, &cast->timer);
    int err = cg_protector_emit(cast->mapping->protector, cast->binding, gateway->port, &route,
                                cg_buf_slice(&cast->datagram), &problem);
    if (err < 0) {
        fail(gateway, cast, &problem);
    } else {
        sent(gateway, cast);
    }
}

static void seal_again(struct cg_gateway *gateway, struct cg_cast *cast);

/* The group was rekeyed while the request waited for its turn. */
static bool is_stale(const struct cg_cast *cast) {
    struct cg_protector *protector = cast->mapping->protector;
    return protector->ops->is_stale != NULL && protector->ops->is_stale(protector, cast->binding);
}

/* A client that left is only marked until its exchange's step runs. */
static bool is_wanted(const struct cg_cast *cast) {
    const struct cg_subscription *it = cast->subscriptions;
    while (it != NULL && it->exchange->abandoned) it = it->next_of_cast;
    return it != NULL;
}

/* Lets go whoever's turn it is; the first that must wait gets a timer for when to look again. */
static void pump(struct cg_gateway *gateway, struct cg_pace *pace) {
    const struct cg_group_settings *settings = &gateway->config->group;
    while (pace->first != NULL && !gateway->closing) {
        struct cg_cast *cast = pace->first;
        uint64_t when = cg_pace_when(pace, settings, cast->datagram.len, gateway->now_us);
        if (when != 0) {
            cg_gateway_set_timer(gateway, &cast->timer, when < cast->give_up_us ? when : cast->give_up_us);
            return;
        }
        leave_queue(cast);
        cast->state = CG_CAST_SEALING; /* out of the queue */
        if (!is_wanted(cast)) {
            fail(gateway, cast, &(struct cg_problem){.err = CG_E_EMIT}); /* nobody hears it */
        } else if (is_stale(cast)) {
            seal_again(gateway, cast);
        } else {
            emit(gateway, cast);
        }
    }
}

static void cast_due(struct cg_gateway *gateway, struct cg_timer *timer) {
    struct cg_cast *cast = CG_CONTAINER(timer, struct cg_cast, timer);
    struct cg_pace *pace = cast->pace;
    if (gateway->now_us >= cast->give_up_us) {
        struct cg_problem problem = {.retry_after = 1};
        cg_problem_set(&problem, CG_E_OVERLOAD, "%s",
                       cast->state == CG_CAST_SEALING
                           ? "the request could not be protected in time (a store that hangs, or too many signatures)"
                           : "the group's turn did not come in time (group.nstart, group.probing_rate: RFC 10020 3.6)");
        fail(gateway, cast, &problem);
    } else {
        cg_gateway_set_timer(gateway, &cast->timer,
                             cast->give_up_us); /* a patient client has joined; or only its turn was looked at */
    }
    pump(gateway, pace);
}

static void wait_for_turn(struct cg_gateway *gateway, struct cg_cast *cast) {
    struct cg_pace *pace = cast->pace;
    cast->state = CG_CAST_WAITING;
    if (pace->last == NULL) {
        pace->first = cast;
    } else {
        pace->last->next_waiting = cast;
    }
    pace->last = cast;
    cg_gateway_set_timer(gateway, &cast->timer, cast->give_up_us);
    pump(gateway, pace);
}

void cg_cast_sealed(struct cg_gateway *gateway, struct cg_cast *cast, int err, const struct cg_problem *problem) {
    if (err < 0) {
        fail(gateway, cast, problem);
        return;
    }
    struct cg_problem incomplete = {0};
    if (cg_sealed_check(&cast->datagram, &incomplete) < 0) {
        fail(gateway, cast, &incomplete);
        return;
    }
    wait_for_turn(gateway, cast);
}

static void seal(struct cg_gateway *gateway, struct cg_cast *cast, const struct cg_group_request *request) {
    const struct cg_exchange *exchange = cast->subscriptions->exchange; /* relayed casts have no other */
    struct cg_sealing sealing = {
        .mapping = cast->mapping,
        .target = cast->target,
        .type = CG_NON, /* R29 */
        .method = request->method,
        .mid = cast->mid,
        .token = cg_token_of(cast->token),
        .options = request->options,
        .payload = request->payload,
        .client = cg_exchange_client(exchange),
        .exchange = exchange->ticket,
    };
    struct cg_problem problem = {0};
    uint64_t job = cg_gateway_spare_job(gateway);
    struct cg_protector *protector = cast->mapping->protector;
    int err = job == 0 ? cg_problem_no_memory(&problem)
                       : protector->ops->seal(protector, &sealing, job, &cast->datagram, &cast->binding, &problem);
    if (err == CG_PENDING) {
        cg_gateway_use_job(gateway, &(struct cg_job){.cast = cast->ticket});
        cg_gateway_set_timer(gateway, &cast->timer, cast->give_up_us);
    } else {
        cg_cast_sealed(gateway, cast, err, &problem);
    }
}

static void seal_again(struct cg_gateway *gateway, struct cg_cast *cast) {
    struct cg_group_request request;
    struct cg_problem problem = {.retry_after = 1};
    cg_gateway_clear_timer(gateway, &cast->timer);
    cast->mapping->protector->ops->release(cast->mapping->protector, cast->binding);
    cast->binding = NULL;
    cg_buf_clear(&cast->datagram);
    if (parse_shape(&request, cg_buf_slice(&cast->shape_bytes))) {
        seal(gateway, cast, &request);
        free(request.options.list);
    } else {
        cg_problem_no_memory(&problem);
        fail(gateway, cast, &problem);
    }
}

static struct cg_cast *new_cast(struct cg_gateway *gateway, struct cg_subscription *subscription,
                                const struct cg_group_request *request) {
    struct cg_exchange *exchange = subscription->exchange;
    struct cg_cast *cast = calloc(1, sizeof *cast);
    if (cast == NULL) return NULL;
    if (!cg_slots_add(&gateway->casts, cast, &cast->ticket)) {
        free(cast);
        return NULL;
    }
    cast->timer.due = cast_due;
    cast->config = cg_config_ref(exchange->config);
    cast->mapping = exchange->mapping;
    cast->target = request->target;
    cast->group = cg_target_group(request->target);
    cast->expects_answers = request->expects_answers;
    cast->is_safe = CG_METHOD_BIT(request->method) & CG_METHODS_SAFE;
    cast->mid = gateway->next_mid++ & (uint16_t)~CG_MID_UNICAST;
    cast->give_up_us = gateway->now_us + cg_longest_wait(exchange->timeout_us);
    cast->subscriptions = subscription;
    cast->next = gateway->all_casts;
    if (cast->next != NULL) cast->next->previous = cast;
    gateway->all_casts = cast;
    subscription->cast = cast;
    cg_buf_init(&cast->datagram, CG_DATAGRAM_MAX);
    cg_buf_init(&cast->shape_bytes, 0);
    emit_shape(&cast->shape_bytes, request);
    cast->shape = cg_fnv(CG_FNV_START, cast->shape_bytes.data, cast->shape_bytes.len);
    cast->pace = cg_pace_get(&gateway->paces, &gateway->config->group, &cast->group, gateway->now_us);
    if (cast->pace != NULL) cast->pace->casts++;
    cast->token = cg_token_make(gateway, cast->mapping->stats);
    if (cast->token != NULL) cast->token->cast = cast;
    return cast;
}

/* R50. False: the name stands for no group, which ends the subscription. */
static bool has_group(struct cg_gateway *gateway, struct cg_subscription *subscription,
                      const struct cg_target *target) {
    if (cg_target_group(target).family != CG_FAMILY_NONE) return true;
    struct cg_problem problem = {0};
    cg_problem_set(&problem, CG_E_EMIT, "%.*s is no group at the moment: %s", (int)target->host.len,
                   (const char *)target->host.data, target->resolved->why);
    fail_subscription(gateway, subscription, &problem);
    return false;
}

void cg_cast_start(struct cg_gateway *gateway, struct cg_subscription *subscription,
                   const struct cg_group_request *request) {
    if (!has_group(gateway, subscription, request->target)) return;
    struct cg_problem problem = {.retry_after = 1};
    cg_problem_set(&problem, CG_E_OVERLOAD, "the system has no memory left");
    struct cg_cast *cast = new_cast(gateway, subscription, request);
    if (cast == NULL) {
        fail_subscription(gateway, subscription, &problem);
    } else if (cast->token == NULL || cast->pace == NULL || cast->shape_bytes.failed) {
        fail(gateway, cast, &problem);
    } else {
        seal(gateway, cast, request);
    }
}

/* The way in. */

void cg_cast_heard(struct cg_gateway *gateway, struct cg_cast *cast) {
    if (cast->answered || cast->state != CG_CAST_SENT) return;
    cast->answered = true;
    cg_pace_answered(cast->pace, &gateway->config->group);
    settle(gateway, cast);
}

void cg_cast_refuse(struct cg_cast *cast, const struct cg_addr *from, const struct cg_opened *opened,
                    const char *reason) {
    for (struct cg_subscription *it = cast->subscriptions; it != NULL; it = it->next_of_cast) {
        cg_exchange_refuse(it->exchange, from, opened, reason);
    }
}

void cg_cast_opened(struct cg_gateway *gateway, struct cg_cast *cast, const struct cg_addr *from, uint64_t arrival_us,
                    int err, const struct cg_opened *opened) {
    const char *reason = err < 0 ? cg_err_info(err)->slug : NULL;
    uint64_t after_us = arrival_us > cast->sent_us ? arrival_us - cast->sent_us : 0;
    struct cg_arrival arrival = {.from = *from,
                                 .request = cast->request,
                                 .opened = opened,
                                 .ms = (uint32_t)(after_us / 1000),
                                 .via = CASTGATE_VIA_MULTICAST};
    for (struct cg_subscription *it = cast->subscriptions; it != NULL; it = it->next_of_cast) {
        if (reason != NULL) {
            cg_exchange_refuse(it->exchange, from, opened, reason);
        } else if (opened->echo.len > 0) {
            cg_account_say(gateway, CG_FATE_CHALLENGE);
            cg_ask_echo(gateway, it->exchange, cast->target, from, opened);
        } else {
            cg_exchange_answer(gateway, it->exchange, cast->target, &arrival, arrival_us);
        }
        if (cast->opening == 0 && cg_exchange_is_due(gateway, it->exchange)) cg_gateway_wake(gateway, it->exchange);
    }
    if (reason == NULL) cg_cast_heard(gateway, cast);
}

void cg_cast_acknowledge(struct cg_gateway *gateway, const struct cg_job *job, int err,
                         const struct cg_opened *opened) {
    if (!job->owes_ack || err < 0 || opened->verified != CASTGATE_VERIFIED_SOURCE) return;
    cg_gateway_send_empty(gateway, &job->from, CG_ACK, job->ack_mid);
}

void cg_cast_receive(struct cg_gateway *gateway, struct cg_cast *cast, const struct cg_datagram *datagram,
                     const struct cg_msg *msg) {
    struct cg_job arrived = {.cast = cast->ticket,
                             .opens = true,
                             .from = datagram->from,
                             .arrival_us = datagram->arrival_us,
                             .owes_ack = msg->type == CG_CON,
                             .ack_mid = msg->mid};
    if (arrived.owes_ack) arrived.owes_ack = !cg_gateway_offer_empty(gateway, &datagram->from, CG_ACK, msg->mid);
    struct cg_opening opening = {
        .binding = cast->binding, .from = datagram->from, .msg = msg, .datagram = datagram->bytes};
    struct cg_opened opened = {0};
    struct cg_protector *protector = cast->mapping->protector;
    uint64_t job = cg_gateway_spare_job(gateway);
    int err = job == 0 ? CG_E_NO_MEMORY : protector->ops->open(protector, &opening, job, &opened);
    if (err == CG_PENDING) {
        cast->opening++;
        cg_gateway_use_job(gateway, &arrived);
    } else {
        cg_cast_acknowledge(gateway, &arrived, err, &opened);
        cg_cast_opened(gateway, cast, &datagram->from, datagram->arrival_us, err, &opened);
    }
}
