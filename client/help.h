/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * help - what `aioctl help` says, made of the table of commands.
 */
#include "base/buf.h"
#include "client/command.h"

void help_overview(struct buf *);
void help_command(struct buf *, const struct command *);
void help_asyncio(struct buf *);
