# SPDX-License-Identifier: MIT
"""What must be true when the load is over, however often aiod died meanwhile."""
import collections
import os

import harness
from load import Failure
from survive import children_of, lines, output, until

AHEAD = 8  # attempts that a group records before their slot is free (LIMIT_AHEAD)


class Judge:
    def __init__(self, world):
        self.world = world
        self.aiod = world.aiod
        self.jobs = world.jobs()
        self.ran = collections.Counter(int(word) for word in lines(world.log))
        self.tasks = {}
        self.figures = collections.Counter()

    def judge(self):
        """aiod runs. Raises Failure, or returns figures for people."""
        with self.aiod.connect() as rpc:
            waited = rpc.call("wait", timeout=harness.TIMEOUT)
            if waited["timed_out"]:
                raise Failure(f"these never end: {waited['pending']}")
            self.ran = collections.Counter(int(word) for word in lines(self.world.log))
            self.read(rpc)
            self.check_ids()
            for job in self.jobs:
                self.check_job(rpc, job)
            self.check_lost()
            self.check_counts(rpc)
        self.figures["outputs of removed tasks"] = self.left_behind()
        self.check_nothing_left()
        return dict(self.figures)

    def read(self, rpc):
        last = None
        while True:
            page = rpc.call("status", limit=1000, states=["PENDING", "RUNNING", "SUSPENDED", "DONE"],
                            **({"from": last} if last else {}))
            for task in page["tasks"]:
                self.tasks[task["id"]] = task
            last = page["next"]
            if not last:
                return

    def check_ids(self):
        """Every acknowledged task is there, every task is one job's, and only one."""
        by_name = collections.defaultdict(list)
        for task in self.tasks.values():
            by_name[task.get("name")].append(task["id"])
        ids = collections.Counter(job.id for job in self.jobs if job.id)
        for task, count in ids.items():
            if count > 1:
                raise Failure(f"id {task} was given to {count} jobs")
        for job in self.jobs:
            found = by_name.pop(job.name, [])
            if len(found) > 1:
                raise Failure(f"{job} is there {len(found)} times: {found}")
            if job.id and not found and not job.remove_sent:
                raise Failure(f"{job} was acknowledged and is gone")
            if found and job.removed:
                raise Failure(f"{job} was removed and is back")
            if found and job.refused:
                raise Failure(f"{job} was refused and is there: {found}")
            if found and job.id and found != [job.id]:
                raise Failure(f"{job} has another id now: {found}")
            if found and not job.id:
                self.figures["found again"] += 1
                if found[0] in ids:
                    raise Failure(f"{job} has the id of another job: {found}")
                job.id = found[0]
            elif not job.id:
                self.figures["refused" if job.refused else "never arrived"] += 1
                if self.ran[job.key]:
                    raise Failure(f"{job} is not there, yet it ran")
        if by_name:
            raise Failure(f"tasks that nobody submitted: {dict(by_name)}")

    def check_job(self, rpc, job):
        if not job.id:
            return
        end = self.tasks.get(job.id) or job.end
        if end is None:
            raise Failure(f"{job} was removed unseen")
        if end["state"] != "DONE":
            raise Failure(f"{job} is not DONE: {end}")
        if job.end and end != job.end:
            raise Failure(f"{job} changed after its end: {job.end} then {end}")
        self.figures["jobs"] += 1
        self.world.check_end(job, end)
        lost = end.get("error", {}).get("type") == "LostError"
        self.figures["lost" if lost else end["outcome"]] += 1
        self.check_runs(job, end, lost)
        if job.id in self.tasks and end["outcome"] != "cancelled" and not lost:
            job.end = end
            self.world.check_output(job, output(rpc, job.id))
            self.figures["outputs compared"] += 1

    def check_runs(self, job, end, lost):
        ran = self.ran[job.key]
        if ran > 1:
            raise Failure(f"{job} ran {ran} times: {end}")
        stopped = end["outcome"] == "cancelled" or self.world.half_cancelled(job, end.get("error", {}))
        if job.logs and ran == 0 and not stopped and not lost:
            raise Failure(f"{job} never ran, yet it ended: {end}")
        if ran and not job.logs:
            raise Failure(f"{job} cannot have run: {end}")
        if lost and not ran:
            self.figures["lost unstarted"] += 1

    def check_lost(self):
        """What was recorded or sent and never started is bounded: slots and places ahead."""
        slots = self.aiod.call("groups")[0]["slots"]
        bound = len(self.world.spawner_kills) * (2 * slots + AHEAD)
        if self.figures["lost unstarted"] > bound:
            raise Failure(f"{self.figures['lost unstarted']} lost that never started, bound {bound}")

    def left_behind(self):
        """Output files of tasks that are not there any more: a removal that aiod did not survive."""
        return sum(int(name.split(".")[0]) not in self.tasks
                   for _, _, names in os.walk(os.path.join(self.aiod.state, "output"))
                   for name in names)

    def check_counts(self, rpc):
        counts = rpc.call("status", limit=1)["counts"]
        for word in ("ok", "failed", "cancelled"):
            real = sum(task["outcome"] == word for task in self.tasks.values())
            if counts[word] != real:
                raise Failure(f"counts say {counts}, there are {real} that are {word}")
        if counts["pending"] or counts["running"] or counts["suspended"]:
            raise Failure(f"all is DONE, counts say {counts}")

    def check_nothing_left(self):
        until("the spawner answers", lambda: self.aiod.call("health")["spawner"]["connected"])
        spawner = self.aiod.call("health")["spawner"]
        if spawner["processes"]:
            raise Failure(f"processes are left: {spawner}")
        until("the spawner has no children", lambda: not children_of(spawner["pid"]))
        for group in self.aiod.call("groups"):
            if group["held"] or group["waiting"]:
                raise Failure(f"a slot is held for ever: {group}")
