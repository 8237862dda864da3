"""Calls a function for each item, in processes forked from this one, and gives the results in the items' order."""
import collections
import multiprocessing
import pickle
import signal
import traceback


class Ended(RuntimeError):
    """A process ended before its work was done."""


def _portable(error):
    """The error itself where it survives the way between processes, else one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError("".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip())


def _work(function, link, others):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the first process's to handle; it ends the others
    for other in others:
        other.close()  # else nobody would see this process's end
    while True:
        try:
            item = link.recv()
        except EOFError:
            return
        try:
            reply = (True, function(item))
        except BaseException as e:
            reply = (False, _portable(e))
        link.send(reply)


class _Pool:
    """One item at a time in each process: what is sent is always read."""

    def __init__(self, function, size):
        fork = multiprocessing.get_context("fork")
        self.links, self.processes = [], []
        for _ in range(size):
            ours, theirs = fork.Pipe()
            self.links.append(ours)
            process = fork.Process(target=_work, args=(function, theirs, list(self.links)), daemon=True)
            process.start()
            theirs.close()
            self.processes.append(process)

    def send(self, k, item):
        try:
            self.links[k].send(item)
        except (BrokenPipeError, ConnectionResetError):
            self.ended(k)

    def receive(self, k):
        try:
            good, value = self.links[k].recv()
        except (EOFError, ConnectionResetError):
            self.ended(k)
        if not good:
            raise value
        return value

    def ended(self, k):
        self.processes[k].join(5)
        raise Ended("process %d of %d ended with %s before its work was done" % (k + 1, len(self.processes), self.processes[k].exitcode)) from None

    def close(self, now):
        for link in self.links:
            link.close()
        for process in self.processes:
            if now:
                process.terminate()
            process.join()


def run(function, items, num_process):
    """function(item) for each item, in order; num_process 1: in this process."""
    if num_process == 1:
        yield from map(function, items)
        return
    pool, waiting, good = _Pool(function, num_process), collections.deque(), False
    try:
        for i, item in enumerate(items):
            if len(waiting) == num_process:
                yield pool.receive(waiting.popleft())
            pool.send(i % num_process, item)
            waiting.append(i % num_process)
        while waiting:
            yield pool.receive(waiting.popleft())
        good = True
    finally:
        pool.close(not good)
