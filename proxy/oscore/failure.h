/* Why OpenSSL failed where nothing that it was given can be wrong. */
#ifndef CG_OSCORE_FAILURE_H
#define CG_OSCORE_FAILURE_H

/* CG_E_NO_MEMORY, or CG_E_INTERNAL where it does not have the algorithm. Empties this thread's queue of errors. */
int cg_openssl_failure(void);

#endif
