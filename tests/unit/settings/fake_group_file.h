/* Security group files of the tests, as JSON in which ' stands for ", and what is changed in them. The keys are those
 * of tests/vectors. */
#ifndef FAKE_GROUP_FILE_H
#define FAKE_GROUP_FILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"
#include "settings/security_group.h"

#define CCS_ED(x) "a108a101a4010103272006215820" x
#define KEY_25    "181ee608427c211862ff619a5f84c26268ed1db90071c23d4459f650fee9f03e"
#define CRED_25   CCS_ED("c28a9cf5e81460183149db4cd36eb20563c89d5225426bda6bd6207c9269b6d2")
#define KEY_52    "04212dd1cc526d10f2a650747dc8829118ab87395bc894782036b9ca6190ffb8"
#define X_52      "4a83d2906976e098727db6fdd06385a3585e0b42d37fabb3c119f1e9cf4779fb"
#define CRED_52   CCS_ED(X_52)
#define CRED_GM   CCS_ED("75fbfa7c8c88ed1a0a67e22250fb4aeabba32bcd7b35688a6c326d2c208e4cba")
#define SECRET    "ed87c95ac8bf474adb3932be85c2653c"
#define SALT      "9e7ca92223786340"
#define SEKEY     "1d15b1ffe4c73cf2d81d04ee6311fa0e"
#define KEY_41    "7b5da31184948c0545a2731d65dbada76b21d378402ce3cc38c8411a75b91f87"
#define CRED_41                                                                                                        \
    "a108a101a5010203262001215820d1667b266bf55a034720c2f4e1f24887674c8ae30ed1fa5a297e1fb65d9cb36522582043c933279d12eb" \
    "94"                                                                                                               \
    "958e25291822e96b1a05b4f1a3f674f28f4d72d52cc6b384"
#define CRED_42                                                                                                        \
    "a108a101a5010203262001215820a39b6c2b90502a766b75e3a38b30b3985478aebf51672fa1902cb7976850ea33225820f3404a5386c000" \
    "7a"                                                                                                               \
    "2ba592c86dc9ea5e668ed16dcf5e16137483142f32411d83"

#define COMMON                                                                                                         \
    "'common':{'alg_aead':10,'alg_group_enc':10,'alg_signature':-8,'alg_pairwise_key_agreement':-27,'hkdf':'sha256',"
#define MEMBER                                                                                                         \
    "{" COMMON "'gid':'44616c','master_secret':'" SECRET "','master_salt':'" SALT "','gm_cred':'" CRED_GM "'},"        \
    "'self':{'sender_id':'25','private_key':'" KEY_25 "','cred':'" CRED_25 "'},"                                       \
    "'peers':{'52':'" CRED_52 "'}}"
#define CHECKER                                                                                                        \
    "{" COMMON "'gid':'44616c','signature_encryption_key':'" SEKEY "','gm_cred':'" CRED_GM "'},"                       \
    "'peers':{'25':'" CRED_25 "','52':{'cred':'" CRED_52 "'}}}"
#define MANAGER                                                                                                        \
    "{'name':'floor3','member_peers':'all'," COMMON "'gid':'44616c','master_secret':'" SECRET "','gm_cred':'" CRED_GM  \
    "'},"                                                                                                              \
    "'group_manager':{'private_key':'GM'},"                                                                            \
    "'gateway':{'sender_id':'25','private_key':'" KEY_25 "','cred':'" CRED_25 "'},"                                    \
    "'members':[{'sender_id':'52','private_key':'" KEY_52 "','cred':'" CRED_52                                         \
    "','name':'lamp','address':'127.1.0.1'}]}"

struct change {
    const char *pointer, *value;
};

json_t *quoted(const char *document);
/* Puts `value` (NULL: nothing) at the JSON pointer; what is on the way must be there. Escapes are not needed here. */
void put(json_t *json, const char *pointer, const char *value);
json_t *changed(const char *document, const struct change changes[4]);

void print_all(const struct cg_mistakes *mistakes);
struct cg_security_group *must_read(const json_t *json, enum cg_group_file kind);
void assert_hex(struct cg_slice bytes, const char *hex);

struct row {
    struct change changes[4];
    const char *pointer;
    const char *message; /* a part of it */
};

/* Each row makes exactly this one mistake. */
void check(const char *document, enum cg_group_file kind, const struct row *rows, size_t count);
#define CHECK(document, kind, rows) check(document, kind, rows, sizeof(rows) / sizeof *(rows))

#endif
