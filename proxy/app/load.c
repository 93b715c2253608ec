/* One load of the settings. The hard thing is memory: a document of 100 000 mappings is parsed into more than what is
 * kept of it, all in small pieces; they are given back to the system when they are free, or every load would leave its
 * largest moment behind. */
#include "app/load.h"

#include <malloc.h>

#include "app/budget_links.h"
#include "app/certificates.h"
#include "base/container.h"
#include "hops/credentials.h"
#include "model/derive.h"

/* The snapshot's end, in the snapshot itself: burying it takes no memory. */
struct grave {
    struct cg_work work;
    struct cg_config *config;
    struct cg_worker *worker;
};

/* One that is derived, and takes none along that it is derived from, is not worth the search. */
static void free_config(struct cg_work *work) {
    struct cg_config *config = CG_CONTAINER(work, struct grave, work)->config;
    bool is_large = !config->derivation.is_derived || config->derivation.from != NULL;
    cg_config_free(config);
    if (is_large) malloc_trim(0);
}

static void bury(struct cg_config *config) {
    struct grave *grave = config->undertaker;
    cg_worker_do(grave->worker, &grave->work);
}

static int dig_grave(struct cg_config *config, struct cg_worker *worker) {
    struct grave *grave = cg_arena_zalloc(&config->arena, sizeof *grave);
    if (grave == NULL) return CG_E_NO_MEMORY;
    *grave = (struct grave){.work.run = free_config, .config = config, .worker = worker};
    config->undertaker = grave;
    config->bury = bury;
    return CG_OK;
}

/* The plans change the snapshot while nobody else has it: its mappings get their protectors, its targets their names.
 */
static int plan(struct cg_load *load) {
    if (!load->config->derivation.is_derived) cg_certificates_read(load->config);
    if (dig_grave(load->config, load->worker) < 0) return cg_problem_no_memory(&load->problem);
    int err = load->config->derivation.is_derived ? CG_OK : cg_hop_credentials_load(load->config, &load->problem);
    if (err < 0) return err;
    err = cg_protectors_plan(load->protectors, load->config, &load->protectors_plan, &load->problem);
    return err < 0 ? err : cg_names_plan(load->names, load->config, &load->names_plan, &load->problem);
}

/* What somebody changes should know of that; who reads the file, of everything. */
static void warn(struct cg_load *load) {
    const struct cg_stored *stored = &load->stored;
    for (size_t i = 0; i < stored->edit_count; i++)
        cg_stored_warnings(load->config, stored->edits[i].kind, stored->edits[i].name, &load->warnings);
    if (stored->edit_count > 0) return;
    cg_settings_warnings(load->config, &load->warnings);
    cg_budget_links_warnings(load->config, &load->warnings);
    cg_certificate_warnings(load->config, &load->warnings);
}

void cg_load_run(struct cg_load *load) {
    cg_mistakes_init(&load->mistakes);
    cg_mistakes_init(&load->warnings);
    cg_mistakes_init(&load->restarts);
    load->stored.in_use = load->old;
    load->err = cg_settings_load_stored(load->file, &load->stored, &load->config, &load->mistakes);
    if (load->err == CG_E_NO_MEMORY) cg_problem_no_memory(&load->problem);
    if (load->err == CG_OK) load->err = plan(load);
    if (load->err == CG_OK) {
        warn(load);
        if (load->old != NULL) cg_settings_restarts(load->old, load->config, &load->restarts);
    }
    malloc_trim(0);
}

void cg_load_consider_deriving(struct cg_load *load) {
    const struct cg_stored *stored = &load->stored;
    bool may = load->old != NULL && stored->edit_count > 0 &&
               cg_settings_may_derive(load->old, stored->edits, stored->edit_count);
    if (may) load->derived = cg_derive_new(load->old, stored->edit_count);
}

static void take_derived(struct cg_load *load) {
    const struct cg_stored *stored = &load->stored;
    load->config = load->derived;
    load->derived = NULL;
    load->err = plan(load);
    for (size_t i = 0; load->err == CG_OK && i < stored->edit_count; i++)
        cg_stored_warnings(load->config, stored->edits[i].kind, stored->edits[i].name, &load->warnings);
}

bool cg_load_derive(struct cg_load *load) {
    cg_mistakes_init(&load->mistakes);
    cg_mistakes_init(&load->warnings);
    cg_mistakes_init(&load->restarts);
    load->err = cg_settings_derive(load->derived, &load->stored, &load->mistakes);
    if (load->err == CG_E_CONFLICT) return false;
    if (load->err == CG_E_NO_MEMORY) cg_problem_no_memory(&load->problem);
    if (load->err == CG_OK) take_derived(load);
    return true;
}

int cg_load_stage(struct cg_load *load, struct cg_problem *problem) {
    int err = cg_names_reserve(load->names, load->names_plan, problem);
    if (err == CG_OK) err = cg_protectors_stage(load->protectors, load->protectors_plan, problem);
    load->is_staged = err == CG_OK;
    return err;
}

void cg_load_adopt(struct cg_load *load) {
    cg_protectors_commit(load->protectors, load->protectors_plan);
    cg_names_adopt(load->names, load->names_plan);
    load->is_staged = false;
}

void cg_load_fini(struct cg_load *load) {
    if (load->is_staged) cg_protectors_discard(load->protectors);
    cg_names_plan_free(load->names_plan);
    cg_protectors_plan_free(load->protectors_plan);
    cg_mistakes_fini(&load->mistakes);
    cg_mistakes_fini(&load->warnings);
    cg_mistakes_fini(&load->restarts);
    cg_config_unref(load->derived);
    cg_config_unref(load->config);
    *load = (struct cg_load){.file = load->file};
}
