"""Training on the GPUs of one machine (`mirrored`) or on several machines (`multiworker`).

One loop around the train step that ``fit`` runs on one device; Keras 3.15's own ``fit`` cannot average the values of
several machines. Each replica takes its share of every global batch, gradients are summed, and what a step
reports is the mean over all replicas, so that every process sees the same numbers and takes the same decisions.

The first process (`is_chief`) alone writes: run directory, logs, samples, checkpoints. All read the same directories.
"""

import contextlib
import functools

import tensorflow as tf
from tensorflow.python.eager import context

from tfface import cluster
from tfface.errors import InputError, LostWorker

# How long a process may be silent before the others give it up. TensorFlow's own 10 s are shorter than what a busy
# machine sometimes takes; one that was killed is noticed at once, by its closed connections.
PATIENCE_SECONDS = 100


@functools.cache
def open_strategy(name):
    """Returns the `tf.distribute.Strategy` of `RunSettings.strategy`, always the same one.

    The one of `multiworker` waits for all processes of the job, and must be opened before TensorFlow computes anything.

    Raises:
        InputError: `multiworker` without a usable TF_CONFIG.
        LostWorker: the processes did not find each other.
    """
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    _be_patient(cluster.place())
    with guarded(name):
        return tf.distribute.MultiWorkerMirroredStrategy()


def _be_patient(place):
    """Configures what the strategy otherwise would, which has no public setting for the time."""
    jobs = tf.compat.v1.ConfigProto().experimental.coordination_config.coordinated_job_list
    for role, count in place.roles.items():
        jobs.add(name=role, num_tasks=count)
    context.context().configure_coordination_service(
        "standalone",
        service_leader=f"/job:{jobs[0].name}/replica:0/task:0",
        heartbeat_timeout_in_ms=PATIENCE_SECONDS * 1000,
        coordinated_jobs=list(jobs),
    )


@contextlib.contextmanager
def scope(name):
    """In this context the model is made, and with it its variables on each replica; all processes get the same."""
    if name == "none":
        yield
        return
    with guarded(name), open_strategy(name).scope():
        yield


def is_chief(name):
    """Whether this process is the one that writes, under the strategy of this name."""
    return name != "multiworker" or cluster.place().chief


def check_batch(name, settings):
    """Raises InputError unless each replica gets the same number of examples of a model's batch."""
    replicas = open_strategy(name).num_replicas_in_sync
    if settings.batch_size % replicas:
        raise InputError(
            f"batch_size={settings.batch_size}: cannot be shared by {replicas} replicas; --set batch_size to a multiple"
            f" of {replicas} (it counts the examples of all replicas together)"
        )


@contextlib.contextmanager
def guarded(name):
    """Turns what TensorFlow raises when another process is gone into LostWorker."""
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.InternalError,
    ) as error:
        if name != "multiworker":
            raise
        raise LostWorker(
            f"another process of this job is gone ({type(error).__name__}); start all of them again with --resume"
        ) from error


def agree(name, value):
    """Returns the largest and the smallest of the numbers that the processes give; each waits for all the others."""
    if name != "multiworker":
        return value, value
    strategy = open_strategy(name)

    @tf.function
    def gather():
        return strategy.gather(strategy.run(lambda: tf.constant([value], tf.float32)), axis=0)

    with guarded(name):
        values = gather().numpy()
    return int(values.max()), int(values.min())


def first_on_chief(name, work, others):
    """Returns what `work()` gives on the first process and then, if it went well, what `others()` gives elsewhere."""
    open_strategy(name)
    if not is_chief(name):
        if not agree(name, 1)[1]:
            raise InputError("the first process of this job could not start; its message says why")
        return others()
    try:
        result = work()
    except InputError:
        agree(name, 0)
        raise
    agree(name, 1)
    return result


def fit(name, model, batches, last_step, callbacks, asked_to_stop=lambda: False):
    """Trains a model that was built in the strategy's scope, all steps of its present phase or fewer.

    Args:
        name: of the strategy.
        model: a `FaceModel`.
        batches: called with `share` and `parts` (see `data.pipeline.training_batches`), gives this process's batches,
            which begin at the model's step.
        last_step: the step to stop after.
        callbacks: called as by ``fit``, with the mean of each term over all replicas.
        asked_to_stop: whether this process was asked to stop; asked before each step.

    Returns:
        Whether any process was asked to stop; all of them then return after the same step.

    Raises:
        LostWorker: another process is gone.
    """
    strategy = open_strategy(name)
    step = int(model.step.numpy())
    model.set_phase(model.phase_at(step).name)
    run, terms = _step_function(strategy, model)

    def share(context):
        parts = strategy.num_replicas_in_sync // context.num_input_pipelines
        return batches(share=(context.input_pipeline_id, context.num_input_pipelines), parts=parts).apply(
            # Said to be endless, which it is; or every step would first ask all processes whether they have a batch.
            tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        )

    batches_of_replicas = iter(strategy.distribute_datasets_from_function(share))
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    stop = False
    while step < last_step and not stop:
        for callback in callbacks:
            callback.on_train_batch_begin(step)
        with guarded(name):
            values = run(next(batches_of_replicas), tf.constant(float(asked_to_stop()))).numpy().tolist()
        stop, logs = values[0] > 0, dict(zip(terms, values[1:], strict=True))
        for callback in callbacks:
            callback.on_train_batch_end(step, logs)
        step += 1
    return stop


def _step_function(strategy, model):
    """Returns the compiled step and the list of its terms' names, which the first call fills.

    It gives one vector, so that the processes exchange one message for all terms: the share of those that were asked to
    stop, then the terms.
    """
    names = []

    def step_of_replica(batch, asked):
        terms = model.train_step(batch)
        names[:] = sorted(terms)  # the order in which ``fit`` gives them
        return tf.stack([asked, *(tf.cast(terms[name], tf.float32) for name in names)])

    @tf.function
    @tf.autograph.experimental.do_not_convert
    def run(batch, asked):
        return strategy.reduce("MEAN", strategy.run(step_of_replica, args=(batch, asked)), axis=None)

    return run, names
