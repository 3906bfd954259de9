/* SPDX-License-Identifier: MIT */
/*
 * aioctl - from argv to the commands.
 */
#include "client/commands.h"

int main(int argc, char **argv)
{
    return commands_main(argc, argv);
}
