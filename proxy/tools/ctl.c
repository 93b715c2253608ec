/* castgatectl: the admin API from a shell. Commands are in ctl/commands.c and ctl/apply.c, what they say in
 * ctl/words.c, the way to the gateway in ctl/client.c. */
#include "tools/ctl/commands.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static cg_ctl_command_fn *const commands[] = {
    [CG_CTL_APPLY] = cg_ctl_apply, [CG_CTL_DIFF] = cg_ctl_diff,     [CG_CTL_EXPORT] = cg_ctl_export,
    [CG_CTL_TRY] = cg_ctl_try,     [CG_CTL_TAIL] = cg_ctl_tail,     [CG_CTL_HISTORY] = cg_ctl_history,
    [CG_CTL_UNDO] = cg_ctl_undo,   [CG_CTL_CALL] = cg_ctl_call_any,
};

static enum cg_ctl_status run(const struct cg_ctl_options *options) {
    char error[CG_CTL_ERROR_MAX];
    struct cg_ctl_client *client = cg_ctl_client_open(options, error);
    if (client == NULL) return cg_ctl_complain(CG_CTL_USAGE, error);
    enum cg_ctl_status status = commands[options->command](options, client);
    cg_ctl_client_close(client);
    return status;
}

int main(int argc, char *argv[]) {
    struct cg_ctl_options options;
    char error[CG_CTL_ERROR_MAX];
    const struct rlimit none = {0};
    (void)setrlimit(RLIMIT_CORE, &none); /* a core file would have the token */
    if (cg_ctl_options_parse(&options, argc, (const char *const *)argv, error) < 0)
        return cg_ctl_complain(CG_CTL_USAGE, error);
    if (options.command == CG_CTL_HELP) {
        (void)fputs(cg_ctl_usage, stdout);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : CG_CTL_FAILED;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) return cg_ctl_complain(CG_CTL_FAILED, "no memory");
    enum cg_ctl_status status = run(&options);
    curl_global_cleanup();
    return fflush(stdout) == 0 ? (int)status : CG_CTL_FAILED;
}
