/* Conditions. The hard thing is what is no tag of ours: it is a legal one that matches nothing, so that who sends it
 * hears that it is stale, and not that it is wrong. */
#include "fronts/admin/condition.h"

#include <inttypes.h>

#include "base/text.h"

/* RFC 9110 §8.8.3; *opaque gets what is between the quotes. */
static bool parse_tag(struct cg_slice text, bool *weak, struct cg_slice *opaque) {
    *weak = cg_slice_starts(text, "W/");
    if (*weak) text = cg_slice_of(text.data + 2, text.len - 2);
    if (text.len < 2 || text.data[0] != '"' || text.data[text.len - 1] != '"') return false;
    *opaque = cg_slice_of(text.data + 1, text.len - 2);
    return opaque->len == 0 || memchr(opaque->data, '"', opaque->len) == NULL;
}

static int malformed(struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_BAD_REQUEST,
                          "If-Match and If-None-Match are * or at most %d entity tags, as ETag gives them: \"12\"",
                          CG_CONDITION_TAGS_MAX);
}

static int add_tag(struct cg_condition *condition, struct cg_slice text, enum cg_condition_tags tags,
                   struct cg_problem *problem) {
    bool weak;
    struct cg_slice opaque;
    uint64_t revision = 0;
    if (condition->count == CG_CONDITION_TAGS_MAX || !parse_tag(text, &weak, &opaque)) return malformed(problem);
    bool is_ours = opaque.len > 0 && opaque.data[0] != '0' && cg_decimal_parse(opaque, INT64_MAX, &revision) == CG_OK;
    if (!is_ours || (weak && tags == CG_TAGS_STRONG)) revision = 0;
    condition->revisions[condition->count++] = revision;
    return CG_OK;
}

int cg_condition_read(struct cg_condition *condition, struct cg_slice text, enum cg_condition_tags tags,
                      struct cg_problem *problem) {
    struct cg_slice tag;
    *condition = (struct cg_condition){.is_there = true, .any = cg_slice_is(text, "*")};
    if (condition->any) return CG_OK;
    while (cg_http_next_item(&text, ',', &tag)) {
        if (tag.len == 0) continue; /* RFC 9110 §5.6.1.2 */
        int err = add_tag(condition, tag, tags, problem);
        if (err < 0) return err;
    }
    return condition->count > 0 ? CG_OK : malformed(problem);
}

int cg_condition_of(struct cg_condition *condition, const struct cg_http_message *message, const char *name,
                    enum cg_condition_tags tags, struct cg_problem *problem) {
    struct cg_slice text;
    *condition = (struct cg_condition){0};
    int err = cg_http_field(message, name, &text);
    if (err == CG_E_NOT_FOUND) return CG_OK;
    return err < 0 ? malformed(problem) : cg_condition_read(condition, text, tags, problem);
}

bool cg_condition_has(const struct cg_condition *condition, uint64_t revision) {
    if (revision == 0) return false;
    if (condition->any) return true;
    for (size_t i = 0; i < condition->count; i++) {
        if (condition->revisions[i] == revision) return true;
    }
    return false;
}

int cg_condition_check(const struct cg_condition *if_match, const struct cg_condition *if_none_match, uint64_t revision,
                       struct cg_problem *problem) {
    if (if_none_match->is_there && cg_condition_has(if_none_match, revision))
        return cg_problem_set(problem, CG_E_STALE, "it is there already, as If-None-Match says that it must not be");
    if (revision != 0 && !if_match->is_there && !if_none_match->is_there)
        return cg_problem_set(problem, CG_E_NEEDS_MATCH,
                              "say by If-Match: \"%" PRIu64 "\" that you have seen what is there, or by * that it does "
                              "not matter",
                              revision);
    if (!if_match->is_there || cg_condition_has(if_match, revision)) return CG_OK;
    if (revision == 0) return cg_problem_set(problem, CG_E_STALE, "it is not there any more, or was never");
    return cg_problem_set(problem, CG_E_STALE, "somebody has changed it meanwhile: it is at revision %" PRIu64 " now",
                          revision);
}
