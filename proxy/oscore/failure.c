/* The hard thing: OpenSSL seldom says that there was no memory, and without any it cannot even write that down. What it
 * does say is that it has no such algorithm; any other failure with arguments that are right is a shortage. */
#include "oscore/failure.h"
#include "base/err.h"

#include <openssl/err.h>
#include <stdbool.h>

int cg_openssl_failure(void) {
    bool is_missing = false;
    for (unsigned long error; (error = ERR_get_error()) != 0;) {
        if (ERR_GET_REASON(error) == ERR_R_UNSUPPORTED) is_missing = true;
    }
    return is_missing ? CG_E_INTERNAL : CG_E_NO_MEMORY;
}
