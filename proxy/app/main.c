/* The command line. What the process is hardened by comes first: nothing has been read yet then. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/budget_links.h"
#include "app/certificates.h"
#include "app/check/check.h"
#include "app/discover/discover.h"
#include "app/members.h"
#include "app/new_admin_token.h"
#include "app/replay/replay.h"
#include "app/serve.h"
#include "app/settings_file.h"
#include "app/state.h"
#include "app/rehearsal.h"
#include "app/reports.h"
#include "base/check.h"
#include "base/text.h"
#include "jobs/discovery.h"
#include "store/items.h"

#define DEFAULT_SETTINGS "/etc/castgate/castgate.json"

struct command {
    int (*act)(const struct command *command); /* returns the exit status */
    const char *file, *argument;
    enum cg_state_claims claims;
    bool follow;
    struct cg_discover_words discovery;
    bool limits_discovery; /* something was said of how it is to be made */
};

/* What can be done */

static int run(const struct command *command) { return cg_serve(command->file); }

/* Ends the text. */
static int print_text(struct cg_buf *text) {
    bool written = !text->failed && fwrite(text->data, 1, text->len, stdout) == text->len && fflush(stdout) == 0;
    cg_buf_fini(text);
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* What a start would say of settings that are good in themselves. False: it would not have all of them. */
static bool try_settings(const struct command *command, struct cg_config *config) {
    struct cg_mistakes mistakes, warnings;
    cg_mistakes_init(&mistakes);
    cg_mistakes_init(&warnings);
    int err = cg_rehearse(config, &mistakes);
    if (err < 0) cg_settings_print_mistakes(command->file, err, &mistakes);
    cg_settings_warnings(config, &warnings);
    cg_budget_links_warnings(config, &warnings);
    cg_certificates_read(config);
    cg_certificate_warnings(config, &warnings);
    cg_settings_print_warnings(command->file, &warnings);
    cg_mistakes_fini(&mistakes);
    cg_mistakes_fini(&warnings);
    return err == CG_OK;
}

static int check_settings(const struct command *command) {
    struct cg_config *config = cg_settings_load_or_print(command->file);
    if (config == NULL) return CG_EXIT_SETTINGS;
    if (!try_settings(command, config)) {
        cg_config_unref(config);
        return CG_EXIT_SETTINGS;
    }
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_settings_print(&text, config);
    cg_config_unref(config);
    return print_text(&text);
}

static int print_schema(const struct command *command) {
    struct cg_buf text;
    (void)command;
    cg_buf_init(&text, 0);
    cg_settings_schema(&text);
    return print_text(&text);
}

static int check_mapping(const struct command *command) {
    struct cg_config *config = cg_settings_load_or_print(command->file);
    if (config == NULL) return CG_EXIT_SETTINGS;
    int status = cg_check_run(config, command->argument);
    cg_config_unref(config);
    return status;
}

static int discover(const struct command *command) {
    struct cg_config *config = cg_settings_load_or_print(command->file);
    if (config == NULL) return CG_EXIT_SETTINGS;
    int status = cg_discover_run(config, &command->discovery);
    cg_config_unref(config);
    return status;
}

static int make_state(const struct command *command) { return cg_state_make(command->file, command->claims); }

static int back_up(const struct command *command) { return cg_state_back_up(command->file, command->argument); }

static int print_status(const struct command *command) { return cg_state_print_status(command->file); }

static int print_members(const struct command *command) { return cg_members_print(command->file); }

static int forget_members(const struct command *command) { return cg_members_forget(command->file, command->argument); }

static int make_admin_token(const struct command *command) { return cg_new_admin_token_print(command->file); }

static int print_reports(const struct command *command) {
    enum cg_reports_extent extent = command->follow ? CG_REPORTS_FOLLOWED : CG_REPORTS_KEPT;
    return cg_reports_print(command->file, command->argument, extent);
}

static int print_reactions(const struct command *command) { return cg_reactions_print(command->file); }

static int replay(const struct command *command) { return cg_replay_print(command->argument); }

static int print_version(const struct command *command) {
    (void)command;
    puts("castgate " CASTGATE_VERSION);
    return EXIT_SUCCESS;
}

/* The process */

/* One that is closed would be the number of the next file or socket, which would then get the log. */
static bool has_standard_files(void) {
    for (int fd = open("/dev/null", O_RDWR); fd >= 0; fd = open("/dev/null", O_RDWR)) {
        if (fd > STDERR_FILENO) return close(fd) == 0;
    }
    perror("castgate: /dev/null cannot be opened for reading and writing");
    return false;
}

/* A core file, or what a debugger of the same user reads, would have the keys. */
static void hide_memory(void) {
    const struct rlimit none = {0};
    CG_CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
#ifndef CASTGATE_SANITIZED /* looking for leaks takes a tracer */
    CG_CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
#endif
}

/* libuv's pool makes and verifies signatures: a thread a core, unless somebody knows better. It reads this with its
 * first use. Without memory for the variable the pool has four threads. */
static void size_thread_pool(void) {
    char threads[24];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(threads, sizeof threads, "%ld", cores > 0 ? cores : 1);
    (void)setenv("UV_THREADPOOL_SIZE", threads, 0);
}

/* The words */

static int usage(FILE *to, int status) {
    fputs(
        "castgate: one unicast request becomes one CoAP multicast, its answers one reply\n"
        "\n"
        "  castgate [-c FILE]       run the gateway in the foreground (default " DEFAULT_SETTINGS ")\n"
        "  castgate [-c FILE] -T    check the settings and print them as they take effect\n"
        "  castgate [-c FILE] --check MAPPING[/PATH]\n"
        "                           send one request of that mapping and tell all about it and its answers\n"
        "  castgate [-c FILE] --discover [GROUP] [--filter QUERY] [--seconds N] [--json]\n"
        "                           ask what is there, and print it as a table and as settings to paste; GROUP is a\n"
        "                           mapping's or a security group's name, or a group URI (without: all mappings'\n"
        "                           groups); QUERY filters (such as rt=light*)\n"
        "  castgate [-c FILE] --init-state      make the state folder's store; it claims nothing\n"
        "  castgate [-c FILE] --init-state --new-keys   and claim the keys that FILE names: you say that they have "
        "never\n"
        "                                       sent, here or anywhere; they begin at 0\n"
        "  castgate [-c FILE] --backup COPY     copy the store; the copy's senders are marked spent. What the admin\n"
        "                                       side stores is copied to COPY" CG_ITEMS_COPY "\n"
        "  castgate [-c FILE] --new-admin-token print a token for the admin side, whoever is locked out\n"
        "  castgate [-c FILE] --status          what the running gateway says of itself, as JSON\n"
        "  castgate [-c FILE] --members         the members that the running gateway knows, by what they answered\n"
        "  castgate [-c FILE] --forget-members NAME|all   have it forget them, in memory and on its disk\n"
        "  castgate [-c FILE] --reports [GROUP] [--follow]   what groups' members have reported, a line of JSON each;\n"
        "                                       with --follow also what they report from now on\n"
        "  castgate [-c FILE] --reactions       what reactions have done, and what became of it\n"
        "  castgate --replay FILE   a recorded exchange, as the admin API gives it out (exchanges/ID/transcript), "
        "through\n"
        "                           the core once more: what came of it, and whether that is as it was\n"
        "  castgate --schema        print the JSON Schema of the settings\n"
        "  castgate -V, --version | -h, --help   print the version | this text\n"
        "\n"
        "SIGHUP reloads the settings; SIGTERM ends after the running exchanges, within 5 seconds.\n",
        to);
    return status;
}

static int help(const struct command *command) {
    (void)command;
    return usage(stdout, EXIT_SUCCESS);
}

static int misused(const struct command *command) {
    (void)command;
    return usage(stderr, CG_EXIT_SETTINGS);
}

static int claim_nothing(const struct command *command) {
    fputs("castgate: --new-keys goes with --init-state only\n", stderr);
    return misused(command);
}

static int discover_nothing(const struct command *command) {
    fputs("castgate: --filter, --seconds (1 to 3600) and --json go with --discover only\n", stderr);
    return misused(command);
}

/* False: it is no number of seconds that a discovery may take. */
static bool read_seconds(const char *text, uint32_t *seconds) {
    uint64_t number = 0;
    bool is_good = cg_decimal_parse(cg_slice_str(text), CG_DISCOVERY_SECONDS, &number) == CG_OK && number > 0;
    *seconds = (uint32_t)number;
    return is_good;
}

/* Options that say how to discover. False: none of them. */
static bool read_discovery_word(int option, struct command *command) {
    struct cg_discover_words *words = &command->discovery;
    switch (option) {
    case 'q': words->filter = optarg; break;
    case 'j': words->form = CG_DISCOVER_AS_JSON; break;
    case 'N':
        if (!read_seconds(optarg, &words->seconds)) command->act = discover_nothing;
        break;
    default: return false;
    }
    command->limits_discovery = true;
    return true;
}

/* The one word without a dash that there may be. */
static void take_operand(int argc, char **argv, struct command *command) {
    if (optind + 1 != argc) return;
    if (command->act == discover) command->discovery.group = argv[optind++];
    if (command->act == print_reports) command->argument = argv[optind++];
}

static struct command checked(struct command command, bool has_further_words) {
    bool claims = command.claims != CG_CLAIM_NOTHING, discovers = command.act == discover;
    if (claims && command.act != make_state) return (struct command){.act = claim_nothing};
    if (command.follow && command.act != print_reports) return (struct command){.act = misused};
    if (command.limits_discovery && !discovers) return (struct command){.act = discover_nothing};
    return has_further_words ? (struct command){.act = misused} : command;
}

/* The last of several actions counts; help and version end it, whatever else there is. */
static struct command read_words(int argc, char **argv) {
    struct command command = {.act = run, .file = DEFAULT_SETTINGS, .discovery.seconds = CG_DISCOVER_SECONDS};
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"check", required_argument, NULL, 'C'},
                                            {"discover", no_argument, NULL, 'D'},
                                            {"filter", required_argument, NULL, 'q'},
                                            {"seconds", required_argument, NULL, 'N'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"init-state", no_argument, NULL, 'i'},
                                            {"backup", required_argument, NULL, 'b'},
                                            {"new-admin-token", no_argument, NULL, 'A'},
                                            {"new-keys", no_argument, NULL, 'n'},
                                            {"schema", no_argument, NULL, 's'},
                                            {"replay", required_argument, NULL, 'p'},
                                            {"status", no_argument, NULL, 'S'},
                                            {"members", no_argument, NULL, 'm'},
                                            {"reports", no_argument, NULL, 'r'},
                                            {"follow", no_argument, NULL, 'F'},
                                            {"reactions", no_argument, NULL, 'R'},
                                            {"forget-members", required_argument, NULL, 'f'},
                                            {0}};
    for (int option; (option = getopt_long(argc, argv, "c:TVh", options, NULL)) != -1;) {
        if (read_discovery_word(option, &command)) continue;
        switch (option) {
        case 'c': command.file = optarg; break;
        case 'T': command.act = check_settings; break;
        case 's': command.act = print_schema; break;
        case 'p': command.act = replay, command.argument = optarg; break;
        case 'S': command.act = print_status; break;
        case 'm': command.act = print_members; break;
        case 'r': command.act = print_reports; break;
        case 'F': command.follow = true; break;
        case 'R': command.act = print_reactions; break;
        case 'f': command.act = forget_members, command.argument = optarg; break;
        case 'C': command.act = check_mapping, command.argument = optarg; break;
        case 'D': command.act = discover; break;
        case 'i': command.act = make_state; break;
        case 'A': command.act = make_admin_token; break;
        case 'n': command.claims = CG_CLAIM_NEW_KEYS; break;
        case 'b': command.act = back_up, command.argument = optarg; break;
        case 'V': return (struct command){.act = print_version};
        case 'h': return (struct command){.act = help};
        default: return (struct command){.act = misused};
        }
    }
    take_operand(argc, argv, &command);
    return checked(command, optind != argc);
}

int main(int argc, char **argv) {
    if (!has_standard_files()) return EXIT_FAILURE;
    hide_memory();
    size_thread_pool();
    const struct command command = read_words(argc, argv);
    return command.act(&command);
}
