/* A write path of a test's own: the real store in a folder, a loop, and a catalogue that says what the test wants. */
#ifndef FAKE_OFFICE_H
#define FAKE_OFFICE_H

#include "manage/manage.h"

struct office {
    char folder[64];
    uv_loop_t uv;
    struct cg_worker *disk;
    struct cg_manage *manage;
    struct cg_catalogue catalogue;
    uv_idle_t idle; /* in which a proposal is answered */
    struct cg_proposal *proposal;
    unsigned proposed, adopted, dropped;
    int refuse_with;         /* the next proposals' err */
    struct cg_config config; /* in use, and proposed: with references, and nothing else */
};

extern int64_t office_now_ms; /* Unix time; each look at the clock takes a second */

/* Opens what the folder has; a second time as a restart would. */
void office_open(struct office *office);
void office_close(struct office *office);
int office_setup(void **state); /* *state: an office with an empty folder, open */
int office_teardown(void **state);
#define office_test(test) cmocka_unit_test_setup_teardown(test, office_setup, office_teardown)

/* A change with one edit, made when its turn has come. */
struct deed {
    struct cg_change change;
    struct office *office;
    const char *document; /* NULL: removes */
    enum cg_item_kind kind;
    const char *name;
    uint64_t match; /* If-Match; 0: any */
    bool is_done;
};

/* Until it is done; returns change.err. The caller ends it by cg_change_fini. */
void begin(struct office *office, struct deed *deed);
int await(struct deed *deed);
/* All of that, for good. Returns the error. */
int put(struct office *office, enum cg_item_kind kind, const char *name, const char *document);
int drop(struct office *office, enum cg_item_kind kind, const char *name);
/* The item's document; "": there is none. */
const char *document_of(const struct office *office, enum cg_item_kind kind, const char *name);

#endif
