/* Reactions. The hard thing: an alert must be followed when everything else is going wrong, too, so nothing here waits
 * for anybody, a command that cannot be given keeps no other from being given, and each is told of, whatever became of
 * it, by one function. */
#include "jobs/reactions.h"

#include "base/container.h"
#include "base/log.h"
#include "legs/engine.h"
#include "model/mapping.h"
#include "model/reaction.h"
#include "reply/outcome.h"
#include "reply/sink.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LATE_S = 1, /* answers, after leisure, for their way */
    COMPLAIN_US = 60000000,
    GROUP_MAX = CG_NAME_MAX + 1,
};

const char *const cg_reaction_outcome_names[CG_REACTION_OUTCOMES] = {
    [CG_REACTION_ANSWERED] = "answered",
    [CG_REACTION_NO_ANSWER] = "no-answer",
    [CG_REACTION_REFUSED] = "refused",
    [CG_REACTION_LIMITED] = "rate-limited",
};

/* The end of a command, as it is told. */
struct end {
    char exchange[CG_EXCHANGE_ID_MAX]; /* "": it never became one */
    char mapping[CG_NAME_MAX + 1];
    enum cg_reaction_outcome outcome;
    unsigned status;
    struct castgate_summary summary; /* ended_by is not valid */
};

/* One reaction; by name, over reloads. */
struct follower {
    UT_hash_handle hh;
    char name[CG_NAME_MAX + 1];
    struct cg_allowance rate; /* commands */
    uint64_t outcomes[CG_REACTION_OUTCOMES];
    uint64_t alerts;       /* that it has followed */
    uint64_t unfollowed;   /* since that was said */
    uint64_t complaint_us; /* when it was, the last time; 0: never */
    uint32_t running;
    struct end latest;
};

/* A command that was given. */
struct given {
    struct cg_sink sink;
    struct cg_reactions *reactions;
    struct follower *follower;
    struct cg_ticket ticket;
    struct given *previous, *next;
    struct end end;
    /* Of the alert: */
    char group[GROUP_MAX];
    char member[CG_NAME_MAX + 1];
    uint64_t number;
};

struct cg_reactions {
    struct cg_alert_hearer hearer;
    struct cg_gateway *gateway;
    struct follower *followers; /* uthash head */
    struct given *given;        /* that run */
    bool closed;
};

/* Telling: this is all that is ever told of what a reaction has done. */

static void note(struct given *given, const struct cg_problem *problem) {
    const struct end *end = &given->end;
    struct follower *follower = given->follower;
    struct cg_log_line line;
    follower->outcomes[end->outcome]++;
    follower->latest = *end;
    cg_log_begin(&line, end->outcome == CG_REACTION_ANSWERED ? CG_LOG_INFO : CG_LOG_WARNING, "reaction");
    cg_log_str(&line, "name", follower->name);
    cg_log_str(&line, "group", given->group);
    cg_log_str(&line, "member", given->member);
    cg_log_u64(&line, "number", given->number);
    cg_log_str(&line, "mapping", end->mapping);
    if (end->exchange[0] != '\0') cg_log_str(&line, "exchange", end->exchange);
    cg_log_str(&line, "outcome", cg_reaction_outcome_names[end->outcome]);
    cg_log_u64(&line, "status", end->status);
    cg_log_u64(&line, "answered", end->summary.answered);
    cg_log_u64(&line, "failed", end->summary.failed);
    cg_log_u64(&line, "missing", end->summary.missing);
    if (problem->err < 0) cg_log_str(&line, "error", cg_err_info(problem->err)->slug);
    cg_log_u64(&line, "ms", end->summary.ms);
    cg_log_end(&line);
}

/* The end of a command. */

static void drop(struct given *given) {
    struct cg_reactions *reactions = given->reactions;
    if (given->previous != NULL) given->previous->next = given->next;
    if (given->next != NULL) given->next->previous = given->previous;
    if (reactions->given == given) reactions->given = given->next;
    given->follower->running--;
    free(given);
}

static enum cg_reaction_outcome outcome_of(const struct cg_problem *problem) {
    if (problem->err == CG_E_NO_ANSWER) return CG_REACTION_NO_ANSWER;
    return problem->err < 0 ? CG_REACTION_REFUSED : CG_REACTION_ANSWERED;
}

static void judge(struct end *end, const struct cg_problem *problem) {
    end->outcome = outcome_of(problem);
    end->status = problem->err < 0 ? cg_err_info(problem->err)->http_status : 200;
}

static void on_end(struct cg_sink *sink, const struct cg_view *view, enum cg_sink_end how, struct cg_problem *problem,
                   struct cg_sink_ending *ending) {
    struct given *given = CG_CONTAINER(sink, struct given, sink);
    if (how != CG_SINK_LEFT) {
        given->end.summary = view->summary;
        if (problem->err == CG_OK && view->summary.answered == 0) cg_outcome_silence(view, problem);
        judge(&given->end, problem);
        ending->status = given->end.status;
        note(given, problem);
    }
    drop(given);
}

static const struct cg_sink_ops sink_ops = {.end = on_end};

/* A command. */

static uint32_t seconds_for(const struct cg_mapping *mapping) {
    uint64_t us = mapping->has_timeout ? mapping->timeout_us : cg_mapping_leisure_us(mapping) + LATE_S * 1000000;
    if (us > mapping->max_timeout_us) us = mapping->max_timeout_us;
    uint64_t seconds = (us + 999999) / 1000000;
    return (uint32_t)(seconds * 1000000 > mapping->max_timeout_us ? seconds - 1 : seconds);
}

/* All that it refers to is the snapshot's, which the exchange has. */
static void fill_request(struct cg_request *request, const struct cg_config *config, const struct cg_reaction *reaction,
                         const struct cg_command *command) {
    request->method = command->method;
    request->proof = CG_PROOF_REACTION;
    request->reaction = reaction->name;
    request->mapping = command->mapping;
    request->path = command->whole;
    request->query = command->query;
    request->options = command->options;
    request->payload = cg_slice_str(command->body);
    request->has_timeout = true;
    request->timeout_s = seconds_for(cg_mapping_by_name(config, command->mapping));
}

static struct given *new_given(struct cg_reactions *reactions, struct follower *follower,
                               const struct cg_command *command, const struct cg_alert *alert) {
    struct given *given = calloc(1, sizeof *given);
    if (given == NULL) return NULL;
    given->sink.ops = &sink_ops;
    given->reactions = reactions;
    given->follower = follower;
    given->number = alert->number;
    snprintf(given->group, sizeof given->group, "%s", alert->group);
    snprintf(given->member, sizeof given->member, "%s", alert->member);
    snprintf(given->end.mapping, sizeof given->end.mapping, "%s", command->mapping);
    given->next = reactions->given;
    if (given->next != NULL) given->next->previous = given;
    reactions->given = given;
    follower->running++;
    return given;
}

/* It did not become an exchange. */
static void give_up(struct given *given, const struct cg_problem *problem) {
    judge(&given->end, problem);
    note(given, problem);
    drop(given);
}

static void start(struct given *given, const struct cg_reaction *reaction, const struct cg_command *command,
                  uint64_t now_us) {
    struct cg_gateway *gateway = given->reactions->gateway;
    struct cg_ticket ticket;
    struct cg_problem problem = {0};
    if (cg_gateway_new_reserved(gateway, &ticket, &problem) < 0) {
        give_up(given, &problem);
        return;
    }
    given->ticket = ticket;
    snprintf(given->end.exchange, sizeof given->end.exchange, "%s", cg_gateway_exchange_id(gateway, ticket));
    fill_request(cg_gateway_request(gateway, ticket), cg_gateway_exchange_config(gateway, ticket), reaction, command);
    cg_gateway_start(gateway, ticket, &given->sink, now_us);
    cg_gateway_advance(gateway, ticket); /* given is gone by now where it was refused */
}

/* An alert. */

static struct follower *new_follower(struct cg_reactions *reactions, const struct cg_reaction *reaction,
                                     uint64_t now_us) {
    struct follower *follower = calloc(1, sizeof *follower);
    if (follower == NULL) return NULL;
    snprintf(follower->name, sizeof follower->name, "%s", reaction->name);
    follower->rate = (struct cg_allowance){.left = reaction->requests_per_minute, .filled_us = now_us};
    HASH_ADD_STR(reactions->followers, name, follower);
    if (CG_HASH_HAS(hh, follower)) return follower;
    free(follower);
    return NULL;
}

/* NULL: no memory. */
static struct follower *follower_of(struct cg_reactions *reactions, const struct cg_reaction *reaction,
                                    uint64_t now_us) {
    struct follower *follower;
    HASH_FIND_STR(reactions->followers, reaction->name, follower);
    return follower != NULL ? follower : new_follower(reactions, reaction, now_us);
}

static void complain(struct follower *follower, uint64_t now_us) {
    follower->unfollowed++;
    if (follower->complaint_us != 0 && now_us - follower->complaint_us < COMPLAIN_US) return;
    cg_log(CG_LOG_WARNING, "reaction", "%s: %llu alerts came beyond its requests_per_minute and were not followed",
           follower->name, (unsigned long long)follower->unfollowed);
    follower->complaint_us = now_us;
    follower->unfollowed = 0;
}

/* All of its commands or none. */
static bool may_follow(struct follower *follower, const struct cg_reaction *reaction, uint64_t now_us) {
    const double need = (double)reaction->command_count, most = reaction->requests_per_minute;
    cg_allowance_fill(&follower->rate, most, most / 60, now_us);
    if (follower->rate.left >= need) {
        follower->rate.left -= need;
        return true;
    }
    follower->outcomes[CG_REACTION_LIMITED] += reaction->command_count;
    complain(follower, now_us);
    return false;
}

static void tell_of_shortage(const struct cg_reaction *reaction) {
    cg_log(CG_LOG_ERROR, "reaction", "%s: no memory to follow an alert", reaction->name);
}

static void follow(struct cg_reactions *reactions, const struct cg_reaction *reaction, const struct cg_alert *alert,
                   uint64_t now_us) {
    struct follower *follower = follower_of(reactions, reaction, now_us);
    if (follower == NULL) tell_of_shortage(reaction);
    if (follower == NULL || !may_follow(follower, reaction, now_us)) return;
    follower->alerts++;
    for (size_t i = 0; i < reaction->command_count; i++) {
        struct given *given = new_given(reactions, follower, &reaction->commands[i], alert);
        if (given == NULL) {
            tell_of_shortage(reaction);
        } else {
            start(given, reaction, &reaction->commands[i], now_us);
        }
    }
}

static void hear(struct cg_alert_hearer *hearer, const struct cg_alert *alert) {
    struct cg_reactions *reactions = CG_CONTAINER(hearer, struct cg_reactions, hearer);
    const struct cg_config *config = cg_gateway_config(reactions->gateway);
    uint64_t now_us = cg_gateway_now(reactions->gateway);
    if (alert->arrival_us > now_us) now_us = alert->arrival_us;
    for (size_t i = 0; i < config->reaction_count && !reactions->closed; i++) {
        const struct cg_reaction *reaction = &config->reactions[i];
        if (cg_occasion_fits(&reaction->when, alert)) follow(reactions, reaction, alert, now_us);
    }
}

/* Figures. */

void cg_reactions_metrics(const struct cg_reactions *reactions, struct cg_buf *to) {
    const struct follower *follower, *next;
    cg_buf_put_str(to, "# HELP castgate_reactions_total Commands of reactions, by what became of them.\n"
                       "# TYPE castgate_reactions_total counter\n");
    HASH_ITER(hh, reactions->followers, follower, next) {
        for (size_t i = 0; i < CG_REACTION_OUTCOMES; i++) {
            cg_buf_printf(to, "castgate_reactions_total{reaction=\"%s\",outcome=\"%s\"} %llu\n", follower->name,
                          cg_reaction_outcome_names[i], (unsigned long long)follower->outcomes[i]);
        }
    }
}

static void put_latest(const struct end *end, struct cg_buf *to) {
    cg_buf_printf(to,
                  "{\"exchange\":\"%s\",\"mapping\":\"%s\",\"outcome\":\"%s\",\"status\":%u,\"answered\":%u,"
                  "\"failed\":%u,\"missing\":%u}",
                  end->exchange, end->mapping, cg_reaction_outcome_names[end->outcome], end->status,
                  (unsigned)end->summary.answered, (unsigned)end->summary.failed, (unsigned)end->summary.missing);
}

static void put_follower(const struct follower *follower, struct cg_buf *to) {
    cg_buf_printf(to, "{\"name\":\"%s\",\"alerts\":%llu,\"running\":%u", follower->name,
                  (unsigned long long)follower->alerts, (unsigned)follower->running);
    for (size_t i = 0; i < CG_REACTION_OUTCOMES; i++) {
        cg_buf_printf(to, ",\"%s\":%llu", cg_reaction_outcome_names[i], (unsigned long long)follower->outcomes[i]);
    }
    if (follower->latest.status != 0) {
        cg_buf_put_str(to, ",\"latest\":");
        put_latest(&follower->latest, to);
    }
    cg_buf_put_u8(to, '}');
}

void cg_reactions_put_json(const struct cg_reactions *reactions, struct cg_buf *to) {
    const struct follower *follower, *next;
    cg_buf_put_u8(to, '[');
    HASH_ITER(hh, reactions->followers, follower, next) {
        if (follower != reactions->followers) cg_buf_put_u8(to, ',');
        put_follower(follower, to);
    }
    cg_buf_put_u8(to, ']');
}

/* Life. */

struct cg_reactions *cg_reactions_new(struct cg_gateway *gateway) {
    struct cg_reactions *reactions = calloc(1, sizeof *reactions);
    if (reactions == NULL) return NULL;
    reactions->gateway = gateway;
    reactions->hearer.hear = hear;
    return reactions;
}

struct cg_alert_hearer *cg_reactions_hearer(struct cg_reactions *reactions) {
    return &reactions->hearer;
}

static void forget(struct cg_reactions *reactions, struct follower *follower) {
    HASH_DEL(reactions->followers, follower);
    free(follower);
}

void cg_reactions_look(struct cg_reactions *reactions) {
    const struct cg_config *config = cg_gateway_config(reactions->gateway);
    struct follower *follower, *next;
    HASH_ITER(hh, reactions->followers, follower, next) {
        if (follower->running == 0 && cg_reaction_by_name(config, follower->name) == NULL) forget(reactions, follower);
    }
}

void cg_reactions_close(struct cg_reactions *reactions) {
    if (reactions == NULL) return;
    reactions->closed = true;
    for (const struct given *given = reactions->given; given != NULL; given = given->next)
        cg_gateway_abandon(reactions->gateway, given->ticket);
}

void cg_reactions_free(struct cg_reactions *reactions) {
    struct follower *follower, *next;
    if (reactions == NULL) return;
    HASH_ITER(hh, reactions->followers, follower, next) { forget(reactions, follower); }
    free(reactions);
}
