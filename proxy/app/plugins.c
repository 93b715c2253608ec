/* Loading plugins. The hard thing: an object that was built for something else is read as if it were ours, so each
 * field is believed only after the ones before it have said that it is there. */
#include "app/plugins.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "settings/reader.h"

/* Who could have written it */

static int check_owner(const struct stat *status, const char *what, struct cg_problem *problem) {
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return cg_problem_set(problem, CG_E_FORMAT, "the %s may be written by its group or by others: chmod go-w",
                              what);
    }
    if (status->st_uid == 0) return CG_OK;
    if (geteuid() == 0) {
        return cg_problem_set(problem, CG_E_FORMAT,
                              "the %s does not belong to root, as which castgate runs: chown root", what);
    }
    if (status->st_uid != geteuid()) return CG_OK;
    return cg_problem_set(problem, CG_E_FORMAT,
                          "the %s belongs to the user that castgate runs as, who could change it: chown root", what);
}

static int check_folder(int folder, struct cg_problem *problem) {
    struct stat status;
    if (folder < 0 || fstat(folder, &status) != 0) {
        return cg_problem_set(problem, CG_E_FORMAT, "plugins.folder cannot be opened: %s", strerror(errno));
    }
    return check_owner(&status, "folder", problem);
}

static int check_file(int folder, const char *file, struct cg_problem *problem) {
    struct stat status;
    if (fstatat(folder, file, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return cg_problem_set(problem, CG_E_FORMAT, "the file cannot be opened: %s", strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) return cg_problem_set(problem, CG_E_FORMAT, "it is no regular file");
    return check_owner(&status, "file", problem);
}

static int check_place(const char *path, const char *file, struct cg_problem *problem) {
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = check_folder(folder, problem);
    if (err == CG_OK) err = check_file(folder, file, problem);
    if (folder >= 0) close(folder);
    return err;
}

/* What it is */

/* The bytes that the symbol covers, and that it is data at all: the library's own symbol table says so. */
static size_t object_size(const void *at) {
    Dl_info info;
    void *found = NULL;
    if (dladdr1(at, &info, &found, RTLD_DL_SYMENT) == 0 || found == NULL || info.dli_saddr != at) return 0;
    const ElfW(Sym) *symbol = found;
    return ELF64_ST_TYPE(symbol->st_info) == STT_OBJECT ? symbol->st_size : 0;
}

static int check_version(const struct castgate_plugin *plugin, size_t size, struct cg_problem *problem) {
    if (size < offsetof(struct castgate_plugin, name)) {
        return cg_problem_set(problem, CG_E_FORMAT, "its " CASTGATE_PLUGIN_SYMBOL " is no struct castgate_plugin");
    }
    if (plugin->major != CASTGATE_PLUGIN_MAJOR || plugin->minor != CASTGATE_PLUGIN_MINOR) {
        return cg_problem_set(problem, CG_E_FORMAT,
                              "it is built for version %u.%u of the plugin interface, this castgate has %d.%d",
                              plugin->major, plugin->minor, CASTGATE_PLUGIN_MAJOR, CASTGATE_PLUGIN_MINOR);
    }
    if (plugin->size != sizeof *plugin || size < sizeof *plugin) {
        return cg_problem_set(problem, CG_E_FORMAT, "its struct castgate_plugin has %zu bytes, this castgate's has %zu",
                              plugin->size < size ? plugin->size : size, sizeof *plugin);
    }
    return CG_OK;
}

static bool offers_all(const struct castgate_encoder *encoder) {
    bool some = encoder->begin != NULL || encoder->answer != NULL || encoder->idle != NULL || encoder->end != NULL;
    bool all = encoder->begin != NULL && encoder->answer != NULL && encoder->idle != NULL && encoder->end != NULL;
    return encoder->encode != NULL ? !some : all;
}

/* Characters of a token (RFC 9110 §5.6.2), in lower case; a '*' would be a range. */
static size_t token_len(const char *text) { return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'+-.^_`|~"); }

static bool is_media_type(const char *text) {
    enum { MEDIA_TYPE_MAX = 127 };
    size_t type = token_len(text);
    if (type == 0 || text[type] != '/') return false;
    size_t subtype = token_len(text + type + 1), len = type + 1 + subtype;
    return subtype > 0 && text[len] == '\0' && len <= MEDIA_TYPE_MAX;
}

static int check_encoder(const struct castgate_encoder *encoder, struct cg_problem *problem) {
    if (encoder == NULL) return cg_problem_set(problem, CG_E_FORMAT, "it has no operations");
    if (encoder->media_type == NULL || !is_media_type(encoder->media_type)) {
        return cg_problem_set(problem, CG_E_FORMAT,
                              "its media_type must be TYPE/SUBTYPE in lower case, without parameters");
    }
    if (offers_all(encoder)) return CG_OK;
    return cg_problem_set(problem, CG_E_FORMAT, "it must have either encode, or begin, answer, idle and end");
}

static int check_plugin(const struct castgate_plugin *plugin, struct cg_problem *problem) {
    if (plugin->kind != CASTGATE_ENCODER) {
        return cg_problem_set(problem, CG_E_FORMAT, "it is of kind %u; only encoders (%d) are loaded", plugin->kind,
                              CASTGATE_ENCODER);
    }
    if (plugin->name == NULL || !cg_name_is_valid(plugin->name)) {
        return cg_problem_set(problem, CG_E_FORMAT, "its name must be [a-z0-9][a-z0-9._-]{0,63}");
    }
    return check_encoder(plugin->ops.encoder, problem);
}

static int check_unique(const struct cg_encoder_list *others, const struct castgate_plugin *plugin,
                        struct cg_problem *problem) {
    const char *media_type = plugin->ops.encoder->media_type;
    for (size_t i = 0; i < others->count; i++) {
        const struct castgate_plugin *other = others->plugins[i];
        if (strcmp(other->name, plugin->name) == 0) {
            return cg_problem_set(problem, CG_E_FORMAT, "another plugin is named %s", plugin->name);
        }
        if (strcmp(other->ops.encoder->media_type, media_type) == 0) {
            return cg_problem_set(problem, CG_E_FORMAT, "the encoder %s has the media type %s already", other->name,
                                  media_type);
        }
    }
    return CG_OK;
}

/* Loading */

int cg_plugins_init(struct cg_plugins *plugins, const struct cg_encoder_list *builtin, size_t room,
                    struct cg_problem *problem) {
    *plugins = (struct cg_plugins){.room = room};
    plugins->list = calloc(builtin->count + room, sizeof *plugins->list);
    plugins->handles = calloc(room + 1, sizeof *plugins->handles);
    if (plugins->list == NULL || plugins->handles == NULL) {
        return cg_problem_no_memory(problem);
    }
    for (size_t i = 0; i < builtin->count; i++) plugins->list[i] = builtin->plugins[i];
    plugins->encoders = (struct cg_encoder_list){.plugins = plugins->list, .count = builtin->count};
    return CG_OK;
}

void cg_plugins_fini(struct cg_plugins *plugins) {
    while (plugins->loaded > 0) dlclose(plugins->handles[--plugins->loaded]);
    free(plugins->handles);
    free(plugins->list);
    *plugins = (struct cg_plugins){0};
}

static int open_library(const char *folder, const char *file, void **handle, struct cg_problem *problem) {
    struct cg_buf path;
    cg_buf_init(&path, 0);
    cg_buf_printf(&path, "%s/%s", folder, file);
    cg_buf_put_u8(&path, 0);
    *handle = path.failed ? NULL : dlopen((const char *)path.data, RTLD_NOW | RTLD_LOCAL);
    int err = CG_OK;
    if (*handle == NULL) {
        const char *why = path.failed ? "no memory is left" : dlerror();
        err = cg_problem_set(problem, CG_E_FORMAT, "it cannot be loaded: %s", why == NULL ? "unknown reason" : why);
    }
    cg_buf_fini(&path);
    return err;
}

int cg_plugins_add(struct cg_plugins *plugins, const char *folder, const char *file, struct cg_problem *problem) {
    void *handle;
    CG_CHECK(plugins->loaded < plugins->room);
    int err = check_place(folder, file, problem);
    if (err == CG_OK) err = open_library(folder, file, &handle, problem);
    if (err < 0) return err;
    const struct castgate_plugin *plugin = dlsym(handle, CASTGATE_PLUGIN_SYMBOL);
    if (plugin == NULL) {
        err = cg_problem_set(problem, CG_E_FORMAT, "it has no symbol " CASTGATE_PLUGIN_SYMBOL);
    } else {
        err = check_version(plugin, object_size(plugin), problem);
    }
    if (err == CG_OK) err = check_plugin(plugin, problem);
    if (err == CG_OK) err = check_unique(&plugins->encoders, plugin, problem);
    if (err < 0) {
        dlclose(handle);
        return err;
    }
    plugins->handles[plugins->loaded++] = handle;
    plugins->list[plugins->encoders.count++] = plugin;
    return CG_OK;
}

static void log_refused(void *ctx, size_t index, const char *file, const char *why) {
    struct cg_log_line line;
    (void)ctx, (void)index;
    cg_log_begin(&line, CG_LOG_ERROR, "plugin_refused");
    cg_log_str(&line, "file", file);
    cg_log_str(&line, "msg", why);
    cg_log_end(&line);
}

static void log_loaded(void *ctx, const char *file, const struct castgate_plugin *plugin) {
    struct cg_log_line line;
    (void)ctx;
    cg_log_begin(&line, CG_LOG_INFO, "plugin_loaded");
    cg_log_str(&line, "file", file);
    cg_log_str(&line, "name", plugin->name);
    cg_log_str(&line, "media_type", plugin->ops.encoder->media_type);
    cg_log_end(&line);
}

const struct cg_plugins_news cg_plugins_log = {.refused = log_refused, .loaded = log_loaded};

int cg_plugins_load(struct cg_plugins *plugins, const struct cg_encoder_list *builtin, const struct cg_config *config,
                    const struct cg_plugins_news *news, struct cg_problem *problem) {
    int err = cg_plugins_init(plugins, builtin, config->plugin_count, problem);
    if (err < 0) return err;
    for (size_t i = 0; i < config->plugin_count; i++) {
        struct cg_problem misfit = {0};
        if (cg_plugins_add(plugins, config->plugin_folder, config->plugins[i], &misfit) < 0) {
            news->refused(news->ctx, i, config->plugins[i], misfit.detail);
        } else if (news->loaded != NULL) {
            news->loaded(news->ctx, config->plugins[i], plugins->list[plugins->encoders.count - 1]);
        }
    }
    return CG_OK;
}
