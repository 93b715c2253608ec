/* The command line of castgate-keys. The hard thing: an option that a command does not know must not be ignored, since
 * keys that were made otherwise than meant are noticed late. */
#include "tools/keys/options.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const char cg_keys_usage[] =
    "usage: castgate-keys new DIR --members N [OPTION]...\n"
    "       castgate-keys add DIR [--members N] [--name NAME] [--addresses A] [--no-rekey | --replace]\n"
    "       castgate-keys rekey DIR [--evict ID...] [--replace]\n"
    "       castgate-keys new-sender-id DIR [--replace]\n"
    "       castgate-keys finish DIR\n"
    "       castgate-keys client DIR [--id ID] [--alg-aead N] [--hkdf HASH]\n"
    "       castgate-keys claim FILE --state DIR\n"
    "       castgate-keys -h | --help\n"
    "Makes and manages the keys of an OSCORE group (RFC 10021) as files; docs/keys.md tells how, step by step. And "
    "makes\n"
    "the OSCORE context of one client and the gateway (RFC 8613); docs/coap.md tells what for.\n"
    "\n"
    "new makes the folder DIR, which must be empty or not there, with mode 0700, and in it, with mode 0600:\n"
    "  gateway.json    for castgate: the common secrets, its private key, every member's credential\n"
    "  member-ID.json  for the member with that Sender ID: the same secrets, its private key, the credentials it "
    "needs\n"
    "  checker.json    for a signature checker: credentials and the Signature Encryption Key, never the Master Secret\n"
    "  group.json      everything, with the Group Manager's private key; for castgate-member --keys and this program\n"
    "\n"
    "  --members N          how many members (1 to 10000); their Sender IDs are 11, 12, ..., the gateway's is c1\n"
    "  --name NAME          the group's name; the members are called NAME-ID (default member)\n"
    "  --addresses A        the first member's address, such as 127.1.0.1:5683; the others follow (IPv4: consecutive\n"
    "                       addresses, IPv6: consecutive ports)\n"
    "  --alg-group-enc N    COSE number of the Group Encryption Algorithm (default 10, AES-CCM-16-64-128)\n"
    "  --alg-signature N    -8 (EdDSA, the default), -7 (ES256), or RFC 9864's numbers for them, -19 and -9\n"
    "  --alg-aead N         AEAD Algorithm of the pairwise mode (default 10)\n"
    "  --alg-pairwise N     Pairwise Key Agreement Algorithm: -27 with SHA-256, -28 with SHA-512 (the default)\n"
    "  --hkdf HASH          sha256 (the default) or sha512\n"
    "  --no-pairwise        without the pairwise mode; --alg-aead beside it is written into the files all the same\n"
    "  --no-group-mode      without the group mode: X25519 keys, no checker.json\n"
    "  --countersign-elements 4   for members that take RFC 9338 3.3 literally (default 5)\n"
    "  --member-peers WHO   whose credentials the members' files hold: all, so that every member may send, or gateway\n"
    "                       (default: all in groups of up to 256 members; files of larger ones would be huge)\n"
    "\n"
    "rekey makes a new Master Secret, Master Salt and Gid, without the members that are evicted. The files in use stay "
    "as\n"
    "they are; the new keys lie beside them until all is ready: gateway.next.json, member-ID.next.json, and so on.\n"
    "add makes members (default: one) and rekeys likewise, so that they cannot read what was sent before.\n"
    "new-sender-id leaves the group its keys and gives the gateway another Sender ID, under which nothing was ever "
    "sent.\n"
    "  --evict ID...        the Sender IDs of members that get no new keys\n"
    "  --replace            give up the rekey that is prepared, and prepare this one\n"
    "  --no-rekey           the new members join under the keys in use, whose files change\n"
    "\n"
    "A rekey has these steps, and so has a new Sender ID; none makes a member miss anything:\n"
    "  castgate-keys rekey DIR\n"
    "  castgate-keys claim DIR/gateway.next.json --state STATE    the gateway's new key has never sent\n"
    "  name gateway.next.json in the settings (\"security_groups\": \"next\"), and reload: both keys are accepted\n"
    "  give each member its member-ID.next.json\n"
    "  castgate-keys finish DIR                                   the next files become the files in use\n"
    "  reload the gateway: it sends under the new keys\n"
    "\n"
    "Every change of DIR happens as a whole or not at all. One that was interrupted is completed or taken back by the\n"
    "next command; finish does nothing else where it has completed one.\n"
    "\n"
    "client makes the folder DIR in the same way, with gateway.json for castgate (\"clients\": \"oscore\") and "
    "client.json "
    "for\n"
    "the client, which is the same with the two Sender IDs exchanged: the gateway's is c1.\n"
    "  --id ID              the client's Sender ID in hexadecimal, 0 to 7 bytes, that no other client of the gateway "
    "has\n"
    "                       (default: 4 random bytes)\n"
    "\n"
    "claim says that the key in FILE has never sent, from anywhere, and from now on sends from this state folder "
    "only:\n"
    "its sequence numbers begin at 0. It has to be said once, by somebody who knows. A key that may have sent, as "
    "from\n"
    "a state folder that is lost, must not be claimed: rekey, or make a member with a new Sender ID. A gateway may be\n"
    "running on the folder; a key that is claimed in it already keeps its numbers.\n"
    "  --state DIR          the state folder\n"
    "  --shared             take FILE although others may read it (as \"key_files_may_be_shared\" does)\n";

enum {
    IN_NEW = 1 << CG_KEYS_NEW,
    IN_ADD = 1 << CG_KEYS_ADD,
    IN_REKEY = 1 << CG_KEYS_REKEY,
    IN_NEW_SENDER_ID = 1 << CG_KEYS_NEW_SENDER_ID,
    IN_CLAIM = 1 << CG_KEYS_CLAIM,
    IN_CLIENT = 1 << CG_KEYS_CLIENT,
};

/* What was said, before the defaults that depend on one another. */
struct said {
    struct cg_keys_options *options;
    bool no_pairwise, no_group_mode, aead, group_alg, agreement;
};

typedef bool take_fn(struct said *said, const char *value);

static bool take_algorithm(const char *value, int *alg) {
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    *alg = (int)number;
    return errno == 0 && end != value && *end == '\0' && number >= INT32_MIN && number <= INT32_MAX && number != 0;
}

static bool take_members(struct said *said, const char *value) {
    uint64_t number;
    if (cg_decimal_parse(cg_slice_str(value), CG_KEYS_MEMBERS_MAX, &number) != CG_OK || number == 0) return false;
    said->options->ring.members = (uint32_t)number;
    return true;
}

static bool take_name(struct said *said, const char *value) {
    said->options->ring.name = value;
    return true;
}

static bool take_addresses(struct said *said, const char *value) {
    struct cg_addr *first = &said->options->ring.first;
    return cg_addr_parse(first, cg_slice_str(value), 5683) == CG_OK && first->port != 0 && !cg_addr_is_multicast(first);
}

static bool take_aead(struct said *said, const char *value) {
    said->aead = true;
    return take_algorithm(value, &said->options->ring.alg_aead);
}

static bool take_pairwise(struct said *said, const char *value) {
    said->agreement = true;
    return take_algorithm(value, &said->options->ring.alg_agreement);
}

static bool take_group_enc(struct said *said, const char *value) {
    said->group_alg = true;
    return take_algorithm(value, &said->options->ring.alg_group_enc);
}

static bool take_signature(struct said *said, const char *value) {
    said->group_alg = true;
    return take_algorithm(value, &said->options->ring.alg_signature);
}

static bool take_hkdf(struct said *said, const char *value) {
    said->options->ring.hkdf = strcmp(value, "sha512") == 0 ? CG_SHA512 : CG_SHA256;
    return said->options->ring.hkdf == CG_SHA512 || strcmp(value, "sha256") == 0;
}

static bool take_elements(struct said *said, const char *value) {
    said->options->ring.countersign_elements = strcmp(value, "4") == 0 ? 4 : 5;
    return said->options->ring.countersign_elements == 4 || strcmp(value, "5") == 0;
}

static bool take_peers(struct said *said, const char *value) {
    said->options->ring.peers = strcmp(value, "all") == 0 ? CG_KEYS_PEERS_ALL : CG_KEYS_PEERS_GATEWAY;
    return said->options->ring.peers == CG_KEYS_PEERS_ALL || strcmp(value, "gateway") == 0;
}

static bool take_evict(struct said *said, const char *value) {
    if (said->options->ring.evict_count == CG_KEYS_EVICT_MAX) return false;
    said->options->ring.evict[said->options->ring.evict_count++] = value;
    return true;
}

static bool take_id(struct said *said, const char *value) {
    said->options->id = value;
    return true;
}

static bool take_state(struct said *said, const char *value) {
    said->options->state = value;
    return *value != '\0';
}

static bool take_no_pairwise(struct said *said, const char *value) {
    (void)value;
    return said->no_pairwise = true;
}

static bool take_no_group_mode(struct said *said, const char *value) {
    (void)value;
    return said->no_group_mode = true;
}

static bool take_no_rekey(struct said *said, const char *value) {
    (void)value;
    return said->options->no_rekey = true;
}

static bool take_replace(struct said *said, const char *value) {
    (void)value;
    return said->options->replace = true;
}

static bool take_shared(struct said *said, const char *value) {
    (void)value;
    return said->options->may_be_shared = true;
}

static const struct option {
    const char *name;
    take_fn *take;
    bool has_value;
    unsigned commands;
} all_options[] = {
    {"--members", take_members, true, IN_NEW | IN_ADD},
    {"--name", take_name, true, IN_NEW | IN_ADD},
    {"--addresses", take_addresses, true, IN_NEW | IN_ADD},
    {"--alg-aead", take_aead, true, IN_NEW | IN_CLIENT},
    {"--alg-group-enc", take_group_enc, true, IN_NEW},
    {"--alg-signature", take_signature, true, IN_NEW},
    {"--alg-pairwise", take_pairwise, true, IN_NEW},
    {"--hkdf", take_hkdf, true, IN_NEW | IN_CLIENT},
    {"--countersign-elements", take_elements, true, IN_NEW},
    {"--member-peers", take_peers, true, IN_NEW},
    {"--no-pairwise", take_no_pairwise, false, IN_NEW},
    {"--no-group-mode", take_no_group_mode, false, IN_NEW},
    {"--no-rekey", take_no_rekey, false, IN_ADD},
    {"--id", take_id, true, IN_CLIENT},
    {"--evict", take_evict, true, IN_REKEY},
    {"--replace", take_replace, false, IN_ADD | IN_REKEY | IN_NEW_SENDER_ID},
    {"--state", take_state, true, IN_CLAIM},
    {"--shared", take_shared, false, IN_CLAIM},
};

static int fail(char *error, const char *about, const char *sentence) {
    (void)snprintf(error, CG_KEYS_ERROR_MAX, "%.512s: %.256s", about, sentence);
    return CG_E_BAD_REQUEST;
}

static bool find_command(const char *word, enum cg_keys_command *command) {
    static const char *const words[] = {
        [CG_KEYS_NEW] = "new",
        [CG_KEYS_CLIENT] = "client",
        [CG_KEYS_ADD] = "add",
        [CG_KEYS_REKEY] = "rekey",
        [CG_KEYS_NEW_SENDER_ID] = "new-sender-id",
        [CG_KEYS_FINISH] = "finish",
        [CG_KEYS_CLAIM] = "claim",
    };
    for (unsigned i = CG_KEYS_NEW; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], word) != 0) continue;
        *command = (enum cg_keys_command)i;
        return true;
    }
    return false;
}

/* argv[*i] is an option; leaves *i at the last argument that belongs to it. */
static int take_option(struct said *said, int argc, const char *const argv[], int *i, char *error) {
    const char *argument = argv[*i], *equals = strchr(argument, '=');
    size_t len = equals == NULL ? strlen(argument) : (size_t)(equals - argument);
    const struct option *option = NULL;
    for (size_t k = 0; k < sizeof all_options / sizeof *all_options; k++)
        if (strlen(all_options[k].name) == len && strncmp(all_options[k].name, argument, len) == 0)
            option = &all_options[k];
    if (option == NULL) return fail(error, argument, "unknown option (see --help)");
    if ((option->commands & 1u << said->options->command) == 0)
        return fail(error, argument, "does not belong to this command (see --help)");
    const char *value = equals == NULL ? NULL : equals + 1;
    if (!option->has_value && value != NULL) return fail(error, argument, "takes no value");
    if (option->has_value && value == NULL) {
        if (++*i == argc) return fail(error, argument, "needs a value");
        value = argv[*i];
    }
    if (!option->take(said, value)) return fail(error, option->name, "this value cannot be used (see --help)");
    while (option->take == take_evict && *i + 1 < argc && argv[*i + 1][0] != '-') /* several IDs behind one --evict */
        if (!take_evict(said, argv[++*i])) return fail(error, option->name, "too many");
    return CG_OK;
}

static int complete(struct said *said, char *error) {
    struct cg_keys_options *options = said->options;
    if (options->path == NULL)
        return fail(error, options->command == CG_KEYS_CLAIM ? "FILE" : "DIR", "is missing (see --help)");
    if (options->command == CG_KEYS_NEW && options->ring.members == 0)
        return fail(error, "--members", "has to be said");
    if (options->command == CG_KEYS_ADD && options->ring.members == 0) options->ring.members = 1;
    if (options->command == CG_KEYS_CLAIM && options->state == NULL) return fail(error, "--state", "has to be said");
    if (options->no_rekey && options->replace) return fail(error, "--no-rekey", "contradicts --replace");
    if (said->no_pairwise && said->no_group_mode)
        return fail(error, "--no-group-mode", "one of the two modes is needed");
    if (said->no_pairwise && said->agreement) return fail(error, "--no-pairwise", "contradicts --alg-pairwise");
    if (said->no_group_mode && said->group_alg)
        return fail(error, "--no-group-mode", "contradicts --alg-group-enc or --alg-signature");
    if (!said->agreement)
        options->ring.alg_agreement =
            options->ring.hkdf == CG_SHA512 ? CG_COSE_ECDH_SS_HKDF_512 : CG_COSE_ECDH_SS_HKDF_256;
    if (said->no_pairwise) options->ring.alg_agreement = CG_COSE_NONE;
    if (said->no_pairwise && !said->aead) options->ring.alg_aead = CG_COSE_NONE;
    if (said->no_group_mode) options->ring.alg_group_enc = options->ring.alg_signature = CG_COSE_NONE;
    return CG_OK;
}

int cg_keys_options_parse(struct cg_keys_options *options, int argc, const char *const argv[],
                          char error[CG_KEYS_ERROR_MAX]) {
    *options = (struct cg_keys_options){.ring = CG_KEYRING_DEFAULTS};
    struct said said = {.options = options};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return CG_OK;
    if (argc < 2) return fail(error, "castgate-keys", "needs a command (see --help)");
    if (!find_command(argv[1], &options->command)) return fail(error, argv[1], "unknown command (see --help)");
    for (int i = 2; i < argc; i++) {
        if (argv[i][0] == '-') {
            int err = take_option(&said, argc, argv, &i, error);
            if (err != CG_OK) return err;
        } else if (options->path == NULL && argv[i][0] != '\0') {
            options->path = argv[i];
        } else {
            return fail(error, argv[i], "is one argument too many (see --help)");
        }
    }
    return complete(&said, error);
}
