/* The settings file, the stored items and what is proposed, made to a snapshot and put to use (manage/catalogue.h). The
 * one way into use: changes go it, and so does a reload. */
#ifndef CG_APP_CATALOGUE_H
#define CG_APP_CATALOGUE_H

#include "app/load.h"
#include "manage/manage.h"

struct cg_app_catalogue {
    struct cg_catalogue catalogue;
    struct cg_load load; /* from `propose` to `adopt` or `drop`: what it found is for whoever proposed */
    struct cg_work work;
    struct cg_store_job look; /* at keys that are new */
    bool looking;
    struct cg_item **items; /* owned array of those that are there, while one is proposed */
    struct cg_proposal *proposal;
};

struct cg_program;

void cg_app_catalogue_init(struct cg_program *program);
/* Before the end: what waits for the numbers' store is given up. */
void cg_app_catalogue_forget(struct cg_program *program);

#endif
