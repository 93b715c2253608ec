/* Whom a job asks. The hard thing: there may be a hundred thousand mappings, and many that go to one group, which is
 * asked once for each way of protecting. */
#include "jobs/discovery_job.h"

#include "model/excerpt.h"
#include "model/mapping.h"
#include "model/who.h"

#include <stdlib.h>

enum {
    MAPPINGS_A_TURN = 256,
    AT_ONCE = 4,
    MARGIN_S = 2, /* beyond leisure */
};

#define CORE_PATH "/.well-known/core"

/* Orders */

static bool is_uri(const char *where) { return strstr(where, "://") != NULL; }

static int check_group(const char *where, struct cg_uri *uri, struct cg_problem *problem) {
    const char *why;
    int err = cg_uri_parse(uri, cg_slice_str(where), &why);
    if (err == CG_OK) err = cg_uri_check_group(uri, &why);
    if (err < 0) return cg_problem_set(problem, err, "this is no URI of a group: %s", why);
    return CG_OK;
}

static const struct cg_security_keys *security_group_of(const struct cg_config *config, const char *name) {
    const struct cg_security_keys *group;
    HASH_FIND_STR(config->security_groups_by_name, name, group);
    return group;
}

static int check_name(const struct cg_config *config, const char *where, struct cg_problem *problem) {
    if (cg_mapping_by_name(config, where) != NULL || security_group_of(config, where) != NULL) return CG_OK;
    return cg_problem_set(problem, CG_E_NOT_FOUND,
                          "there is no mapping and no security group of this name; a group that no mapping has is "
                          "named by its URI, coap://ADDRESS");
}

static int check_filter(struct cg_slice filter, struct cg_problem *problem) {
    struct cg_slice rest = filter, argument;
    struct cg_buf decoded;
    int err = CG_OK;
    cg_buf_init(&decoded, 0);
    while (err == CG_OK && filter.len > 0 && cg_uri_next_argument(&rest, &argument))
        err = cg_uri_decode(argument, &decoded);
    cg_buf_fini(&decoded);
    if (err == CG_OK) return CG_OK;
    if (err == CG_E_NO_MEMORY) return cg_problem_no_memory(problem);
    return cg_problem_set(problem, CG_E_BAD_URI, "the filter is no query of a URI, such as rt=core.rd* or if=sensor");
}

int cg_survey_check(const struct cg_discoveries *discoveries, const struct cg_discovery_order *order,
                    struct cg_problem *problem) {
    const struct cg_config *config = cg_gateway_config(discoveries->gateway);
    bool is_long = order->filter.len > CG_DISCOVERY_WHERE_MAX ||
                   (order->where != NULL && strlen(order->where) > CG_DISCOVERY_WHERE_MAX);
    struct cg_uri uri;
    if (is_long || order->seconds < 1 || order->seconds > CG_DISCOVERY_SECONDS)
        return cg_problem_set(problem, CG_E_BAD_REQUEST, "a discovery takes 1 to %u seconds", CG_DISCOVERY_SECONDS);
    if (check_filter(order->filter, problem) < 0) return problem->err;
    if (order->where == NULL) return CG_OK;
    if (is_uri(order->where)) return check_group(order->where, &uri, problem);
    return check_name(config, order->where, problem);
}

/* A group */

static uint32_t waves_of(const struct cg_discovery *job) {
    const struct cg_job_item *item;
    uint32_t waiting = 0;
    for (item = job->items; item != NULL; item = item->next) waiting += !item->inquiry.runs;
    return (waiting + AT_ONCE - 1) / AT_ONCE;
}

/* Each has its part of the time, and as much as members need. */
static uint32_t seconds_for(const struct cg_job_item *item) {
    uint32_t left = cg_job_seconds_left(item->job), waves = waves_of(item->job);
    uint32_t needed = (uint32_t)item->inquiry.excerpt->mappings[0].leisure + MARGIN_S;
    uint32_t part = left / (waves == 0 ? 1 : waves);
    if (part < needed) part = needed;
    return part < left ? part : left;
}

static bool next(struct cg_job_item *item, struct cg_own *own) {
    own->query = item->job->filter;
    own->timeout_s = seconds_for(item);
    return own->timeout_s > 0;
}

static void on_answer(struct cg_job_item *item, const struct cg_answer *answer, enum cg_finding_part part) {
    const struct cg_found_node *node = cg_findings_note_answer(&item->job->findings, &item->source, answer, part);
    if (node != NULL) cg_directories_note_links(item, node);
}

static bool is_cut(const struct cg_refusal *refusal) {
    return strcmp(refusal->reason, "blocks-incomplete") == 0 || strcmp(refusal->reason, "unproven-address") == 0;
}

/* Whose beginning nobody had room to tell. */
static void note_cut(struct cg_job_item *item, const struct cg_view *view) {
    for (const struct cg_refusal *refusal = view->refusals; refusal != NULL; refusal = refusal->next) {
        struct cg_who who;
        cg_who_decide(&who, view->mapping, &refusal->from, CG_SLICE_NONE);
        if (is_cut(refusal) && view->mapping->security == CG_SECURITY_NONE)
            cg_findings_note_cut(&item->job->findings, &item->source, who.member, &refusal->from);
    }
}

static void note_silent(struct cg_job_item *item, const struct cg_view *view) {
    const struct cg_mapping *mapping = view->mapping;
    for (size_t i = 0; i < mapping->member_count; i++) {
        const struct cg_member *member = &mapping->members[i];
        bool has_answered = view->answered != NULL && cg_member_set_has(view->answered, member);
        if (!has_answered) cg_findings_note_silent(&item->job->findings, &item->source, member);
    }
}

static void on_over(struct cg_job_item *item, enum cg_inquiry_end how, const struct cg_view *view) {
    (void)how;
    item->is_over = true;
    if (view == NULL) return;
    note_cut(item, view);
    note_silent(item, view);
    cg_directories_ask_for_lookups(item);
}

static void on_left(struct cg_job_item *item, const char *why) {
    cg_findings_note_gap(&item->job->findings, cg_slice_str(item->source.group), why);
}

static void on_release(struct cg_job_item *item) { free(item); }

static const struct cg_job_item_ops group_ops = {
    .next = next, .answer = on_answer, .over = on_over, .left = on_left, .release = on_release};

/* Its excerpt. What is asked for it may be asked of anybody, so where nothing is verified nobody is waited for: there
 * may be others than those that are known. */

static void take_protection(struct cg_mapping *mapping, const struct cg_discovery *job) {
    if (mapping->security == CG_SECURITY_GROUP) return;
    mapping->security = CG_SECURITY_NONE;
    mapping->protector = job->discoveries->plain;
    mapping->complete = false;
    mapping->finish = (struct cg_finish){.rule = CG_FINISH_DEADLINE};
}

/* Who has nothing that passes a filter is silent (RFC 6690 §4.1), and need not be asked again. */
static bool adjust(struct cg_config *excerpt, const struct cg_discovery *job) {
    struct cg_mapping *mapping = &excerpt->mappings[0];
    mapping->repair_unicast = mapping->repair_unicast && job->filter.len == 0;
    mapping->repair_probe = false;
    take_protection(mapping, job);
    return cg_excerpt_go_to(excerpt, CORE_PATH) && cg_excerpt_reach(excerpt, job->prefixes, job->prefix_count) &&
           cg_mapping_index(excerpt);
}

/* NULL: no memory. */
static struct cg_config *adjusted(struct cg_config *excerpt, const struct cg_discovery *job) {
    if (excerpt == NULL || adjust(excerpt, job)) return excerpt;
    cg_config_unref(excerpt);
    return NULL;
}

static struct cg_config *excerpt_of(const struct cg_discovery *job, const struct cg_mapping *mapping,
                                    const struct cg_target *target) {
    struct cg_config *excerpt = cg_excerpt_new(job->config, mapping);
    if (excerpt != NULL) cg_excerpt_aim(excerpt, target);
    return adjusted(excerpt, job);
}

/* Without its path. */
static const char *group_text(struct cg_discovery *job, const char *uri) {
    const char *slash = strstr(uri, "://");
    size_t start = slash == NULL ? 0 : (size_t)(slash - uri) + 3, len = start + strcspn(uri + start, "/?");
    char *text = cg_arena_alloc(&job->findings.arena, len + 1);
    if (text == NULL) return NULL;
    memcpy(text, uri, len);
    text[len] = '\0';
    return text;
}

static void forgo(struct cg_discovery *job, const char *uri, const char *why) {
    cg_findings_note_gap(&job->findings, cg_slice_str(uri), why);
}

/* Takes the reference. */
static void add_group(struct cg_discovery *job, struct cg_config *excerpt, const struct cg_mapping *mapping) {
    struct cg_job_item *group = excerpt == NULL ? NULL : calloc(1, sizeof *group);
    const char *text = group == NULL ? NULL : group_text(job, excerpt->mappings[0].targets[0].uri);
    if (text == NULL) {
        free(group);
        cg_config_unref(excerpt);
        forgo(job, "", "could not be asked for lack of memory");
        return;
    }
    group->ops = &group_ops;
    group->inquiry.excerpt = excerpt;
    group->source = (struct cg_finding_source){.mapping = mapping, .group = text};
    cg_job_add(job, group);
}

/* Which groups */

static bool is_same_interface(const char *a, const char *b) {
    return a == b || (a != NULL && b != NULL && !strcmp(a, b));
}

static bool is_same_group(const struct cg_target *a, const struct cg_target *b) {
    return cg_slice_equal(a->host, b->host) && cg_addr_equal(&a->group, &b->group) &&
           is_same_interface(a->interface, b->interface);
}

static bool is_asked(const struct cg_survey *survey, const struct cg_mapping *mapping, const struct cg_target *target) {
    for (uint32_t i = 0; i < survey->groups; i++) {
        if (survey->keys[i] == mapping->keys && is_same_group(survey->targets[i], target)) return true;
    }
    return false;
}

static void take_target(struct cg_discovery *job, const struct cg_mapping *mapping, const struct cg_target *target) {
    struct cg_survey *survey = &job->survey;
    if (is_asked(survey, mapping, target)) return;
    if (survey->groups == CG_JOB_GROUPS_MAX) {
        forgo(job, target->uri, "is beyond the groups that one discovery asks");
        return;
    }
    survey->targets[survey->groups] = target;
    survey->keys[survey->groups++] = mapping->keys;
    add_group(job, excerpt_of(job, mapping, target), mapping);
}

static bool is_meant(const struct cg_discovery *job, const struct cg_mapping *mapping, const struct cg_target *target) {
    struct cg_uri uri;
    struct cg_problem ignored = {0};
    switch (job->survey.kind) {
    case CG_SURVEY_ALL: return true;
    case CG_SURVEY_MAPPING: return strcmp(mapping->name, job->where) == 0;
    case CG_SURVEY_SECURITY_GROUP: return mapping->keys != NULL && strcmp(mapping->keys->name, job->where) == 0;
    case CG_SURVEY_GROUP: break;
    }
    if (check_group(job->where, &uri, &ignored) < 0 || uri.addr.port != target->group.port) return false;
    bool is_named = uri.addr.family == CG_FAMILY_NONE;
    return is_named ? cg_slice_equal(uri.host, target->host)
                    : target->host.len == 0 && cg_addr_equal(&uri.addr, &target->group);
}

static void look_at(struct cg_discovery *job, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) {
        if (cg_target_is_hop(&mapping->targets[i])) continue; /* its members are its own to find */
        if (is_meant(job, mapping, &mapping->targets[i])) take_target(job, mapping, &mapping->targets[i]);
    }
}

/* A group that no mapping has. */
static void ask_plainly(struct cg_discovery *job) {
    struct cg_uri uri;
    struct cg_problem ignored = {0};
    if (check_group(job->where, &uri, &ignored) < 0) return;
    if (uri.addr.family == CG_FAMILY_NONE || uri.zone.len > 0) {
        forgo(job, job->where, "is no mapping's: such a group is named by its address, without a zone");
        return;
    }
    add_group(job, adjusted(cg_excerpt_of_group(job->config, &uri, job->discoveries->plain), job), NULL);
}

static enum cg_survey_kind kind_of(const struct cg_discovery *job) {
    if (job->where == NULL) return CG_SURVEY_ALL;
    if (is_uri(job->where)) return CG_SURVEY_GROUP;
    return cg_mapping_by_name(job->config, job->where) != NULL ? CG_SURVEY_MAPPING : CG_SURVEY_SECURITY_GROUP;
}

static void end(struct cg_discovery *job) {
    struct cg_survey *survey = &job->survey;
    survey->is_done = true;
    if (survey->groups > 0) return;
    if (survey->kind == CG_SURVEY_GROUP) {
        ask_plainly(job);
    } else if (survey->kind != CG_SURVEY_ALL) {
        forgo(job, job->where, "has no group");
    }
}

bool cg_survey_turn(struct cg_discovery *job) {
    struct cg_survey *survey = &job->survey;
    if (survey->is_done) return false;
    if (survey->next == 0) survey->kind = kind_of(job);
    const struct cg_mapping *mapping = NULL;
    for (unsigned i = 0; i < MAPPINGS_A_TURN; i++) {
        if ((mapping = cg_config_next_mapping(job->config, &survey->next)) == NULL) break;
        look_at(job, mapping);
    }
    if (survey->next == job->config->mapping_count) end(job);
    return !survey->is_done;
}
