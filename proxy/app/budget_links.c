/* Interfaces of budgets. They are looked for by any of their names, as when something is sent. */
#include "app/budget_links.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "io/devices.h"

static void warn_if_missing(int fd, const struct cg_send_budget_settings *budget, size_t index,
                            struct cg_mistakes *warnings) {
    struct cg_device device;
    char pointer[64];
    if (cg_devices_find(fd, budget->interface, &device) != ENODEV) return;
    snprintf(pointer, sizeof pointer, "/group/send_budgets/%zu/interface", index);
    cg_mistakes_add(warnings, pointer,
                    "there is no interface \"%s\" at the moment; until there is, this bounds nothing",
                    budget->interface);
}

void cg_budget_links_warnings(const struct cg_config *config, struct cg_mistakes *warnings) {
    const struct cg_group_settings *group = &config->group;
    if (group->send_budget_count == 0) return;
    int fd = cg_devices_open();
    if (fd < 0) return; /* whoever sends will say so */
    for (size_t i = 0; i < group->send_budget_count; i++) warn_if_missing(fd, &group->send_budgets[i], i, warnings);
    close(fd);
}
