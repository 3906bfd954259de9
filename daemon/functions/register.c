/* SPDX-License-Identifier: MIT */
#include "daemon/functions/register.h"

void register_functions(struct functions *functions, struct processes *processes)
{
    functions_register(functions, &exec_function, processes);
    functions_register(functions, &sleep_function, NULL);
}
