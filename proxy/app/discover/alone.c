/* Looking by a gateway of the command's own. The hard thing: its keys may not be able to send, and what is plain is to
 * be found all the same. */
#include "app/discover/seeker.h"

#include <string.h>

#include "app/alone.h"
#include "fronts/admin/found_document.h"
#include "builtin.h"
#include "jobs/discovery.h"
#include "model/mapping.h"

enum { MARGIN_MS = 10000 }; /* beyond what the job may take */

struct alone {
    struct cg_alone gateway;
    struct cg_discoveries *discoveries;
    struct cg_discovery *job; /* NULL: none has begun */
    bool is_done;
};

static void on_hurry(void *ctx) {
    struct alone *alone = ctx;
    if (alone->job != NULL) cg_discovery_hurry(alone->job);
}

static void on_done(void *ctx, struct cg_discovery *job) {
    struct alone *alone = ctx;
    (void)job;
    alone->is_done = true;
    cg_alone_wake(&alone->gateway);
}

static bool is_done(const void *who) { return ((const struct alone *)who)->is_done; }

static json_t *document_of(const struct cg_found *found, struct cg_problem *problem) {
    struct cg_found_writer writer;
    struct cg_buf text;
    cg_buf_init(&text, CG_DISCOVER_DOCUMENT_MAX);
    cg_buf_put_u8(&text, '{');
    cg_found_writer_init(&writer, found);
    while (cg_found_writer_put(&writer, &text)) continue;
    cg_buf_put_u8(&text, '}');
    json_t *document = text.failed ? NULL : cg_discover_parse(cg_buf_slice(&text), problem);
    if (text.failed) cg_problem_no_memory(problem);
    cg_buf_fini(&text);
    return document;
}

static json_t *seek(struct alone *alone, const struct cg_discover_words *words, struct cg_problem *problem) {
    const struct cg_discovery_order order = {
        .where = words->group,
        .filter = words->filter == NULL ? CG_SLICE_NONE : cg_slice_str(words->filter),
        .seconds = words->seconds,
        .done = on_done,
        .ctx = alone,
    };
    const struct cg_config *config = alone->gateway.config;
    cg_alone_wait_for_names(&alone->gateway, config->mappings, config->mapping_count);
    alone->job = cg_discovery_begin(alone->discoveries, &order, problem);
    if (alone->job == NULL) return NULL;
    cg_alone_wait(&alone->gateway, is_done, alone, (uint64_t)words->seconds * 1000 + MARGIN_MS);
    json_t *document = document_of(cg_discovery_found(alone->job), problem);
    cg_discovery_free(alone->job);
    return document;
}

/* Unless the word is one plain mapping's, some of what is asked may be protected. */
static enum cg_alone_keys keys_for(const struct cg_config *config, const char *group) {
    const struct cg_mapping *mapping = group == NULL ? NULL : cg_mapping_by_name(config, group);
    bool is_plain = mapping != NULL && mapping->security != CG_SECURITY_GROUP;
    return is_plain || config->security_group_count == 0 ? CG_ALONE_PLAIN : CG_ALONE_PROTECTED;
}

json_t *cg_discover_alone(struct cg_config *config, const struct cg_discover_words *words, struct cg_problem *problem) {
    struct alone alone = {0};
    json_t *document = NULL;
    if (!cg_alone_open(&alone.gateway, config, keys_for(config, words->group), on_hurry, &alone, problem)) return NULL;
    alone.discoveries = cg_discoveries_new(alone.gateway.loop.gateway, cg_protector_none());
    if (alone.discoveries == NULL) {
        cg_problem_no_memory(problem);
    } else {
        document = seek(&alone, words, problem);
    }
    cg_discoveries_close(alone.discoveries);
    cg_alone_close(&alone.gateway);
    cg_discoveries_free(alone.discoveries);
    return document;
}
