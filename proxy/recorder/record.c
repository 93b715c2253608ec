/* A record is made in the turn in which its exchange ends, of lists that may be long: so it is copied as it is, and
 * becomes text only when somebody reads it. */
#include "recorder/record.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/mapping.h"
#include "rounds/round.h"
#include "wire/msg.h"

const char *const cg_outcome_names[CG_OUTCOME_COUNT] = {
    [CG_OUTCOME_RUNNING] = "running", [CG_OUTCOME_ANSWERED] = "answered", [CG_OUTCOME_FAILED] = "failed",
    [CG_OUTCOME_MISSING] = "missing", [CG_OUTCOME_SILENT] = "silent",     [CG_OUTCOME_REFUSED] = "refused",
    [CG_OUTCOME_LEFT] = "left",
};

/* ---- Texts ---- */

static uint32_t keep(struct cg_buf *texts, struct cg_slice text) {
    const uint32_t at = (uint32_t)texts->len;
    cg_buf_put_slice(texts, text);
    return at;
}

static uint32_t keep_name(struct cg_buf *texts, const char *name) {
    const uint32_t at = keep(texts, cg_slice_str(name));
    cg_buf_put_u8(texts, 0);
    return at;
}

/* ---- Lists ---- */

static size_t bounded(struct cg_record *record, size_t count) {
    if (count <= CG_RECORD_ITEMS_MAX) return count;
    record->left_out += count - CG_RECORD_ITEMS_MAX;
    return CG_RECORD_ITEMS_MAX;
}

static void keep_answer(struct cg_record_answer *to, const struct cg_answer *answer, bool is_hidden,
                        struct cg_buf *texts) {
    *to = (struct cg_record_answer){
        .number = answer->number,
        .ms = answer->ms,
        .payload_len = (uint32_t)answer->payload.len,
        .code = answer->code,
        .verified = answer->verified,
        .via = answer->via,
    };
    if (is_hidden) return;
    to->from = answer->from;
    to->has_kid = answer->has_kid;
    to->kid_len = (uint16_t)answer->kid.len;
    to->kid = keep(texts, answer->kid);
    if (answer->member != NULL) to->name = keep_name(texts, answer->member->name);
}

/* False: no memory. So the others. */
static bool keep_answers(struct cg_record *record, const struct cg_view *view, struct cg_buf *texts) {
    const size_t count = bounded(record, view->summary.answered);
    if (count == 0) return true;
    record->answers = malloc(count * sizeof *record->answers);
    if (record->answers == NULL) return false;
    for (const struct cg_answer *answer = view->answers; answer != NULL && record->answer_count < count;
         answer = answer->next) {
        keep_answer(&record->answers[record->answer_count++], answer, record->hides_members, texts);
    }
    return true;
}

static bool has_answered(const struct cg_view *view, const struct cg_member *member) {
    if (view->member != NULL) return view->summary.answered > 0;
    return view->answered != NULL && cg_member_set_has(view->answered, member);
}

static bool keep_missing(struct cg_record *record, const struct cg_view *view, struct cg_buf *texts) {
    size_t members;
    const size_t count = record->hides_members ? 0 : bounded(record, view->summary.missing);
    if (count == 0) return true;
    record->missing = malloc(count * sizeof *record->missing);
    if (record->missing == NULL) return false;
    const struct cg_member *list = cg_mapping_awaited(view->mapping, view->member, &members);
    for (size_t i = 0; i < members && record->missing_count < count; i++) {
        if (has_answered(view, &list[i])) continue;
        record->missing[record->missing_count++] =
            (struct cg_record_missing){.from = list[i].addr,
                                       .name = keep_name(texts, list[i].name),
                                       .cause = cg_cause_of_member(&view->signs, &list[i])};
    }
    return true;
}

static size_t count_refusals(const struct cg_refusal *refusals) {
    size_t count = 0;
    for (; refusals != NULL; refusals = refusals->next) count++;
    return count;
}

static bool keep_refusals(struct cg_record *record, const struct cg_view *view, struct cg_buf *texts) {
    const size_t count = bounded(record, count_refusals(view->refusals));
    if (count == 0) return true;
    record->refusals = calloc(count, sizeof *record->refusals);
    if (record->refusals == NULL) return false;
    for (const struct cg_refusal *it = view->refusals; it != NULL && record->refusal_count < count; it = it->next) {
        struct cg_record_refusal *to = &record->refusals[record->refusal_count++];
        *to = (struct cg_record_refusal){.reason = it->reason, .code = it->code};
        to->gid_len = (uint16_t)it->gid.len;
        to->gid = keep(texts, it->gid);
        if (record->hides_members) continue;
        to->from = it->from;
        to->kid_len = (uint16_t)it->kid.len;
        to->kid = keep(texts, it->kid);
    }
    return true;
}

static bool keep_lists(struct cg_record *record, const struct cg_view *view) {
    struct cg_buf texts;
    cg_buf_init(&texts, 0);
    cg_buf_put_u8(&texts, 0); /* offset 0 is nobody's */
    bool kept = keep_answers(record, view, &texts) && keep_missing(record, view, &texts) &&
                keep_refusals(record, view, &texts) && !texts.failed;
    record->size += texts.cap + record->answer_count * sizeof *record->answers +
                    record->missing_count * sizeof *record->missing + record->refusal_count * sizeof *record->refusals;
    record->texts = (char *)cg_buf_detach(&texts, &(size_t){0});
    return kept;
}

/* ---- The head ---- */

static void keep_text(char *to, size_t room, const char *text) {
    size_t len = strnlen(text, room - 1);
    memcpy(to, text, len);
    to[len] = '\0';
}

static void keep_path(struct cg_record *record, const struct cg_progress *progress) {
    const struct cg_request *request = progress->view.request;
    const bool is_cut = progress->path_shown < request->path.len, has_query = !is_cut && request->query.len > 0;
    int len = snprintf(record->path, sizeof record->path, "%.*s%s%.*s", (int)progress->path_shown,
                       (const char *)request->path.data, is_cut ? "/..." : (has_query ? "?" : ""),
                       has_query ? (int)request->query.len : 0, (const char *)request->query.data);
    if (len > CG_RECORD_PATH_MAX) memcpy(record->path + CG_RECORD_PATH_MAX, "...", sizeof "...");
}

static void keep_request(struct cg_record *record, const struct cg_progress *progress) {
    const struct cg_request *request = progress->view.request;
    const char *method = cg_method_name(request->method);
    keep_text(record->method, sizeof record->method, method == NULL ? "?" : method);
    if (request->client != NULL || request->reaction != NULL) cg_request_account(request, record->client);
    record->peer = request->peer;
    keep_path(record, progress);
    if (progress->view.member != NULL && !progress->hides_members)
        snprintf(record->member, sizeof record->member, "%.*s", CG_NAME_MAX, progress->view.member->name);
}

enum cg_outcome cg_outcome_of(const struct cg_progress *progress) {
    const struct castgate_summary *summary = &progress->view.summary;
    if (progress->has_left) return CG_OUTCOME_LEFT;
    if (!progress->is_over) return CG_OUTCOME_RUNNING;
    if (progress->problem->err < 0 && progress->problem->err != CG_E_NO_ANSWER) return CG_OUTCOME_REFUSED;
    if (summary->answered == 0) return CG_OUTCOME_SILENT;
    if (summary->missing > 0) return CG_OUTCOME_MISSING;
    return summary->failed > 0 ? CG_OUTCOME_FAILED : CG_OUTCOME_ANSWERED;
}

static void keep_times(struct cg_record *record, const struct cg_progress *progress, int64_t now_ms) {
    const uint64_t sent_us = progress->sent_us;
    record->ms = cg_whole_ms(progress->now_us - progress->started_us);
    record->begun_ms = now_ms - record->ms;
    record->was_sent = sent_us != 0;
    if (!record->was_sent) return;
    record->sent_ms = cg_whole_ms(sent_us > progress->started_us ? sent_us - progress->started_us : 0);
    record->deadline_ms = cg_whole_ms(progress->deadline_us > sent_us ? progress->deadline_us - sent_us : 0);
    record->leisure_ms = cg_whole_ms(cg_mapping_leisure_us(progress->view.mapping));
}

/* Then a problem may name it, too. */
static bool names_hidden_one(const struct cg_progress *progress) {
    const struct cg_view *view = &progress->view;
    return progress->hides_members && (view->member != NULL || progress->path_shown < view->request->path.len);
}

struct cg_record *cg_record_new(const struct cg_progress *progress, int64_t now_ms) {
    struct cg_record *record = calloc(1, sizeof *record);
    const struct cg_view *view = &progress->view;
    if (record == NULL) return NULL;
    record->size = sizeof *record;
    memcpy(record->id, view->exchange, sizeof record->id);
    if (view->mapping != NULL) keep_text(record->mapping, sizeof record->mapping, view->mapping->name);
    record->hides_members = progress->hides_members;
    record->outcome = cg_outcome_of(progress);
    record->status = progress->status;
    record->is_cut = progress->is_cut;
    record->problem = *progress->problem;
    if (names_hidden_one(progress)) record->problem.detail[0] = 0;
    record->summary = view->summary;
    keep_request(record, progress);
    keep_times(record, progress, now_ms);
    if (view->mapping == NULL || keep_lists(record, view)) return record;
    cg_record_free(record);
    return NULL;
}

/* `addr`: the same, where it is an address; else of family NONE. */
static bool is_member(const struct cg_record *record, uint32_t name, const struct cg_addr *from, const char *member,
                      const struct cg_addr *addr) {
    if (name != 0 && strcmp(cg_record_text(record, name), member) == 0) return true;
    return addr->family != CG_FAMILY_NONE && cg_addr_equal(from, addr);
}

bool cg_record_has_member(const struct cg_record *record, const char *member) {
    struct cg_addr addr;
    if (cg_addr_parse(&addr, cg_slice_str(member), 0) < 0) addr.family = CG_FAMILY_NONE;
    if (strcmp(record->member, member) == 0) return true;
    for (size_t i = 0; i < record->answer_count; i++) {
        if (is_member(record, record->answers[i].name, &record->answers[i].from, member, &addr)) return true;
    }
    for (size_t i = 0; i < record->missing_count; i++) {
        if (is_member(record, record->missing[i].name, &record->missing[i].from, member, &addr)) return true;
    }
    for (size_t i = 0; i < record->refusal_count; i++) {
        if (is_member(record, 0, &record->refusals[i].from, member, &addr)) return true;
    }
    return false;
}

void cg_record_free(struct cg_record *record) {
    if (record == NULL) return;
    free(record->answers);
    free(record->missing);
    free(record->refusals);
    free(record->texts);
    free(record->prediction);
    free(record);
}
