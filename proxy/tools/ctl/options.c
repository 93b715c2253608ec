/* The command line of castgatectl. The hard thing: it is typed into scripts, so what is not understood, or does not
 * belong to a command, must not be ignored. */
#include "tools/ctl/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

#define HISTORY_COUNT 20

const char cg_ctl_usage[] =
    "usage: castgatectl apply -f FILE [--prune] [--dry-run]\n"
    "       castgatectl diff -f FILE [--prune]\n"
    "       castgatectl export\n"
    "       castgatectl try MAPPING[/PATH] [-X METHOD] [-d BODY] [--content-type TYPE] [--client NAME] [--dry-run]\n"
    "       castgatectl tail\n"
    "       castgatectl history [-n COUNT] [REVISION]\n"
    "       castgatectl undo REVISION [--with-later] [--dry-run]\n"
    "       castgatectl call METHOD PATH [-f FILE] [--if-match ETAG]\n"
    "Manages a castgate gateway through its admin API; docs/administration.md tells how, step by step.\n"
    "\n"
    "apply makes the gateway's stored settings, clients, mappings and reactions what FILE says, in one revision, all "
    "or\n"
    "nothing; what FILE does not name stays, unless --prune takes it away. Twice in a row it changes nothing. FILE is\n"
    "JSON with the sections of the settings file (\"-\": standard input); what export prints is such a file. diff "
    "says\n"
    "what apply would change. try sends a request to a group, as an operator, and prints what the members answered;\n"
    "with --dry-run what would go out. tail prints what happens as it happens. undo takes a revision back. call is "
    "any\n"
    "request to the API: castgatectl call GET security-groups.\n"
    "\n"
    "  -f, --file FILE    JSON; \"-\": standard input\n"
    "  -X, --method METHOD, -d, --data BODY, --content-type TYPE   of the request that is tried (default GET)\n"
    "  --client NAME      try as that client may\n"
    "  -n, --count COUNT  so many revisions (default 20)\n"
    "  --with-later       undo later revisions that rest on it, too\n"
    "  --if-match ETAG    of what was read: without it nothing that is there is changed\n"
    "  --url URL          the admin listener (default CASTGATE_URL, else http://127.0.0.1:8081); without TLS on\n"
    "                     loopback only\n"
    "  --token-file FILE  where the token is, readable by nobody else; \"-\": standard input (default\n"
    "                     CASTGATE_TOKEN_FILE, else ~/.config/castgate/token, else /var/lib/castgate/admin.token)\n"
    "  --ca FILE          certificates that vouch for the gateway's (PEM; default the system's)\n"
    "  --certificate FILE, --key FILE   a client certificate, in place of a token\n"
    "  --json             what the gateway said, as it is\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 done, or no difference; 1 there is a difference (diff), or nobody answered (try); 2 the command\n"
    "line or FILE is no good; 3 the gateway refused; 4 it could not be reached, or failed.\n";

enum {
    IN_APPLY = 1 << CG_CTL_APPLY,
    IN_DIFF = 1 << CG_CTL_DIFF,
    IN_EXPORT = 1 << CG_CTL_EXPORT,
    IN_TRY = 1 << CG_CTL_TRY,
    IN_TAIL = 1 << CG_CTL_TAIL,
    IN_HISTORY = 1 << CG_CTL_HISTORY,
    IN_UNDO = 1 << CG_CTL_UNDO,
    IN_CALL = 1 << CG_CTL_CALL,
    IN_ALL = IN_APPLY | IN_DIFF | IN_EXPORT | IN_TRY | IN_TAIL | IN_HISTORY | IN_UNDO | IN_CALL,
};

/* ---- Options ---- */

#define TEXT(field) .text = offsetof(struct cg_ctl_options, field), .has_value = true
#define FLAG(field) .flag = offsetof(struct cg_ctl_options, field)

static const struct option {
    const char *name, *short_name;
    unsigned commands;
    bool has_value;
    size_t text, flag; /* where it goes */
} all_options[] = {
    {"--url", NULL, IN_ALL, TEXT(url)},
    {"--token-file", NULL, IN_ALL, TEXT(token_file)},
    {"--ca", NULL, IN_ALL, TEXT(ca)},
    {"--certificate", NULL, IN_ALL, TEXT(certificate)},
    {"--key", NULL, IN_ALL, TEXT(key)},
    {"--file", "-f", IN_APPLY | IN_DIFF | IN_CALL, TEXT(file)},
    {"--method", "-X", IN_TRY, TEXT(method)},
    {"--data", "-d", IN_TRY, TEXT(body)},
    {"--content-type", NULL, IN_TRY, TEXT(content_type)},
    {"--client", NULL, IN_TRY, TEXT(client)},
    {"--if-match", NULL, IN_CALL, TEXT(if_match)},
    {"--count", "-n", IN_HISTORY, .has_value = true},
    {"--dry-run", NULL, IN_APPLY | IN_TRY | IN_UNDO, FLAG(dry_run)},
    {"--prune", NULL, IN_APPLY | IN_DIFF, FLAG(prune)},
    {"--json", NULL, IN_ALL, FLAG(as_json)},
    {"--with-later", NULL, IN_UNDO, FLAG(with_later)},
};

static int fail(char *error, const char *about, const char *sentence) {
    (void)snprintf(error, CG_CTL_ERROR_MAX, "%.512s: %.256s", about, sentence);
    return CG_E_BAD_REQUEST;
}

static const struct option *find_option(const char *word, size_t len) {
    for (size_t i = 0; i < sizeof all_options / sizeof *all_options; i++) {
        const struct option *option = &all_options[i];
        if (strlen(option->name) == len && strncmp(option->name, word, len) == 0) return option;
        if (option->short_name != NULL && strlen(option->short_name) == len &&
            strncmp(option->short_name, word, len) == 0)
            return option;
    }
    return NULL;
}

static bool take_value(struct cg_ctl_options *options, const struct option *option, const char *value) {
    uint64_t count;
    if (option->text != 0) {
        *(const char **)((char *)options + option->text) = value;
        return true;
    }
    if (cg_decimal_parse(cg_slice_str(value), UINT32_MAX, &count) < 0 || count == 0) return false;
    options->count = (uint32_t)count;
    return true;
}

/* argv[*i] is an option; leaves *i at the last argument that belongs to it. */
static int take_option(struct cg_ctl_options *options, int argc, const char *const argv[], int *i, char *error) {
    const char *word = argv[*i], *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
    const struct option *option = find_option(word, equals == NULL ? strlen(word) : (size_t)(equals - word));
    const char *value = equals == NULL ? NULL : equals + 1;
    if (option == NULL) return fail(error, word, "unknown option (see --help)");
    if ((option->commands & 1u << options->command) == 0)
        return fail(error, option->name, "does not belong to this command (see --help)");
    if (!option->has_value) {
        if (value != NULL) return fail(error, option->name, "takes no value");
        *(bool *)((char *)options + option->flag) = true;
        return CG_OK;
    }
    if (value == NULL && ++*i == argc) return fail(error, option->name, "needs a value");
    if (value == NULL) value = argv[*i];
    return take_value(options, option, value) ? CG_OK : fail(error, option->name, "must be a number above 0");
}

/* ---- Commands ---- */

static const struct command {
    const char *word;
    size_t least, most; /* words behind it */
    const char *missing;
} commands[] = {
    [CG_CTL_APPLY] = {"apply", 0, 0, ""},
    [CG_CTL_DIFF] = {"diff", 0, 0, ""},
    [CG_CTL_EXPORT] = {"export", 0, 0, ""},
    [CG_CTL_TRY] = {"try", 1, 1, "needs the name of a mapping"},
    [CG_CTL_TAIL] = {"tail", 0, 0, ""},
    [CG_CTL_HISTORY] = {"history", 0, 1, ""},
    [CG_CTL_UNDO] = {"undo", 1, 1, "needs the number of a revision (see castgatectl history)"},
    [CG_CTL_CALL] = {"call", 2, 2, "needs a method and a path: castgatectl call GET mappings"},
};

static bool find_command(const char *word, enum cg_ctl_command *command) {
    for (size_t i = CG_CTL_APPLY; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].word, word) != 0) continue;
        *command = (enum cg_ctl_command)i;
        return true;
    }
    return false;
}

static int take_word(struct cg_ctl_options *options, const char *word, char *error) {
    if (options->word_count == commands[options->command].most)
        return fail(error, word, "is one argument too many (see --help)");
    options->words[options->word_count++] = word;
    return CG_OK;
}

static int complete(const struct cg_ctl_options *options, char *error) {
    const struct command *command = &commands[options->command];
    bool needs_file = options->command == CG_CTL_APPLY || options->command == CG_CTL_DIFF;
    if (options->word_count < command->least) return fail(error, command->word, command->missing);
    if (needs_file && options->file == NULL) return fail(error, command->word, "needs -f FILE");
    if ((options->certificate == NULL) != (options->key == NULL))
        return fail(error, "--certificate", "goes together with --key");
    if (options->file != NULL && options->token_file != NULL && strcmp(options->file, "-") == 0 &&
        strcmp(options->token_file, "-") == 0)
        return fail(error, "--token-file", "standard input cannot be the token and FILE both");
    return CG_OK;
}

static const char *from_environment(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value == NULL || *value == '\0' ? otherwise : value;
}

static bool asks_for_help(int argc, const char *const argv[]) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

/* Where the command stands: behind options or before them. argc: nowhere. */
static int command_at(int argc, const char *const argv[]) {
    int i = 1;
    while (i < argc && argv[i][0] == '-') {
        const struct option *option = find_option(argv[i], strcspn(argv[i], "="));
        i += option != NULL && option->has_value && strchr(argv[i], '=') == NULL ? 2 : 1;
    }
    return i < argc ? i : argc;
}

int cg_ctl_options_parse(struct cg_ctl_options *options, int argc, const char *const argv[],
                         char error[CG_CTL_ERROR_MAX]) {
    *options = (struct cg_ctl_options){
        .url = from_environment("CASTGATE_URL", "http://127.0.0.1:8081"),
        .token_file = from_environment("CASTGATE_TOKEN_FILE", NULL),
        .count = HISTORY_COUNT,
    };
    if (asks_for_help(argc, argv)) return CG_OK;
    const int at = command_at(argc, argv);
    if (at == argc) return fail(error, "castgatectl", "needs a command (see --help)");
    if (!find_command(argv[at], &options->command)) return fail(error, argv[at], "unknown command (see --help)");
    for (int i = 1; i < argc; i++) {
        if (i == at) continue;
        int err = argv[i][0] == '-' && argv[i][1] != '\0' ? take_option(options, argc, argv, &i, error)
                                                          : take_word(options, argv[i], error);
        if (err < 0) return err;
    }
    return complete(options, error);
}
