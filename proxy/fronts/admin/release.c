/* A tree of some hundred thousand values takes longer to free than a turn of the loop may. */
#include "fronts/admin/release.h"

#include <stdlib.h>

#include "base/container.h"

struct release {
    struct cg_work work;
    json_t *json;
};

static void run(struct cg_work *work) {
    struct release *release = CG_CONTAINER(work, struct release, work);
    json_decref(release->json);
    free(release);
}

void cg_admin_release(struct cg_worker *worker, json_t *json) {
    struct release *release = worker == NULL || json == NULL ? NULL : calloc(1, sizeof *release);
    if (release == NULL) {
        json_decref(json);
        return;
    }
    *release = (struct release){.work = {.run = run}, .json = json};
    cg_worker_do(worker, &release->work);
}
