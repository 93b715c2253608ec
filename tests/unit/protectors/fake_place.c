#include "fake_place.h"
#include "base/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int refuse(struct cg_problem *problem) { return cg_problem_set(problem, CG_E_STORE, "the fake place fails"); }

static int place_read(struct cg_windows_place *place, struct cg_buf *text, struct cg_problem *problem) {
    struct fake_place *fake = CG_CONTAINER(place, struct fake_place, place);
    if (fake->fails) return refuse(problem);
    cg_buf_put(text, fake->text, fake->len);
    return CG_OK;
}

static int place_write(struct cg_windows_place *place, struct cg_slice text, struct cg_problem *problem) {
    struct fake_place *fake = CG_CONTAINER(place, struct fake_place, place);
    if (fake->fails) return refuse(problem);
    assert_true(text.len <= sizeof fake->text);
    memcpy(fake->text, text.data, text.len);
    fake->len = text.len;
    fake->writes++;
    return CG_OK;
}

static const struct cg_windows_place_ops place_ops = {.read = place_read, .write = place_write};

void fake_place_init(struct fake_place *fake) { *fake = (struct fake_place){.place.ops = &place_ops}; }
