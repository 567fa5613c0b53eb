# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The perception node: camera images in, segmentation and metric depth out.

This module connects the parts: `ImageInput` receives images, `FrameProcessor` turns them into
outputs, and `FrameThreads` runs them in two threads besides the executor's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
import sys
import threading
import time
import traceback
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

from hydranet_ros.errors import HydranetError, missing_package
from hydranet_ros.launching.process_specs import NODE_NAME
from hydranet_ros.model.exported_model import ExportedModel, read_model
from hydranet_ros.model.labels import LabelSet
from hydranet_ros.model.tasks import default_fields
from hydranet_ros.node.distributions import spin_once
from hydranet_ros.node.perception.declared_parameters import DeclaredParameters
from hydranet_ros.node.perception.diagnostics import diagnostic_array, Report
from hydranet_ros.node.perception.frame_processor import FrameProcessor, Perceived, Publication
from hydranet_ros.node.perception.frame_threads import FrameThreads
from hydranet_ros.node.perception.image_input import ImageInput, SOURCES
from hydranet_ros.node.perception.label_info import LabelInfoOutput, message_types
from hydranet_ros.node.perception.outputs import available_outputs
from hydranet_ros.node.perception.parameters import Settings
from hydranet_ros.node.perception.statistics import Statistics
from hydranet_ros.node.process import run_process
from hydranet_ros.resources import default_model, model_path
from hydranet_ros.runtime.predictor import Predictor

UNCONFIGURED, INACTIVE, ACTIVE, FINALIZED = 'unconfigured', 'inactive', 'active', 'finalized'
DIAGNOSTICS_PERIOD = 1.0
"""Seconds between two messages of diagnostics."""
LOG_PERIOD = 5.0
"""Seconds between log messages about frames that fail."""
SPIN_PERIOD = 0.1
"""Seconds between checks for a signal."""


class PerceptionNode(LifecycleNode):
    """
    The lifecycle node; parameters are in `parameters.py`, outputs in `outputs.py`.

    Raises HydranetError if an initial parameter is invalid.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(NODE_NAME, **options)
        self._lifecycle = UNCONFIGURED
        self._fault = ''
        self._declared = DeclaredParameters(
            self, lambda: self._lifecycle != UNCONFIGURED, self._apply
        )
        self._statistics = Statistics()
        self._predictor: Predictor | None = None
        self._publications: list[Publication] = []
        self._label_info: LabelInfoOutput | None = None
        self._input: ImageInput | None = None
        self._processor: FrameProcessor | None = None
        self._threads: FrameThreads[Perceived] | None = None
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # Steady, because ROS time with use_sim_time stands still until /clock is published.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(DIAGNOSTICS_PERIOD, self._publish_diagnostics, clock=steady)
        if self._declared.settings.autostart:
            self._autostart_timer = self.create_timer(0.0, self._autostart, clock=steady)

    @property
    def finalized(self) -> bool:
        """Whether the node was shut down for good."""
        return self._lifecycle == FINALIZED

    # Lifecycle.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and create its outputs."""
        return self._transition(self._configure, INACTIVE)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the threads and subscribe."""
        return self._transition(lambda: self._activate(state), ACTIVE)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and stop the threads."""
        return self._transition(lambda: self._deactivate(state), INACTIVE)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model and remove the outputs."""
        return self._transition(self._clean_up, UNCONFIGURED)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything, in any state."""
        return self._transition(lambda: self._take_down(state), FINALIZED)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Return to unconfigured after a failed transition; diagnostics keep showing its error."""
        fault = self._fault
        result = self._transition(lambda: self._take_down(state), UNCONFIGURED)
        if result != TransitionCallbackReturn.SUCCESS:
            self._lifecycle = FINALIZED
        self._fault = fault
        return result

    def _transition(self, step: Callable[[], None], reached: str) -> TransitionCallbackReturn:
        """Run a transition and log its exceptions, which rclpy would discard silently."""
        try:
            step()
        except (HydranetError, ImportError) as error:
            self._fault = str(missing_package(error) if isinstance(error, ImportError) else error)
            self.get_logger().error(self._fault)
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            self._fault = f'{type(error).__name__}: {error}'
            self.get_logger().error(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        self._fault = ''
        self._lifecycle = reached
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        begin = time.monotonic()
        self._predictor = _load_model(self._declared.settings)
        label_set = self._predictor.label_set
        if label_set is not None:
            self._declared.fill('class_names', label_set.classes)
            self._label_info = LabelInfoOutput(self, label_set, message_types())
        for output in available_outputs(self._predictor.backend.fields):
            publisher = self.create_lifecycle_publisher(
                output.message_type,
                output.topic,
                _output_qos(),
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
            self._publications.append(Publication(output, publisher))
        facts = ', '.join(f'{key} {value}' for key, value in self._model_facts().items())
        self.get_logger().info(f'Configured in {time.monotonic() - begin:.1f} s: {facts}.')

    def _clean_up(self) -> None:
        for publication in self._publications:
            self.destroy_lifecycle_publisher(publication.publisher)
        self._publications = []
        if self._label_info is not None:
            self._label_info.destroy()
            self._label_info = None
        if self._predictor is not None:
            self._predictor.close()
            self._predictor = None
        self._declared.clear('class_names')

    def _activate(self, state: LifecycleState) -> None:
        assert self._predictor is not None
        super().on_activate(state)
        source = SOURCES[self._declared.settings.image_transport]
        self._statistics = Statistics()
        self._input = ImageInput(self, source, self._statistics)
        self._processor = processor = FrameProcessor(
            predictor=self._predictor,
            message_type=source.message_type,
            publications=self._publications,
            camera_infos=self._input.camera_infos,
            settings=lambda: self._declared.settings,
            now=lambda: self.get_clock().now().nanoseconds,
            statistics=self._statistics,
            warn=self.get_logger().warning,
        )
        if self._label_info is not None:
            self._label_info.publish()
        threads = FrameThreads(
            self._input, processor.perceive, processor.publish, self._on_frame_error
        )
        threads.start()
        self._threads = threads

    def _on_frame_error(self, error: Exception) -> None:
        """Count and log an error with a frame; called in the thread where it occurred."""
        if isinstance(error, HydranetError):
            self._statistics.failed(str(error))
            self.get_logger().warning(str(error), throttle_duration_sec=LOG_PERIOD)
            return
        self._statistics.failed(f'{type(error).__name__}: {error}')
        trace = ''.join(traceback.format_exception(type(error), error, error.__traceback__))
        self.get_logger().error(trace, throttle_duration_sec=LOG_PERIOD)

    def _deactivate(self, state: LifecycleState) -> None:
        if self._threads is not None:
            self._threads.stop()
        self._threads = self._input = None
        self._processor = None
        super().on_deactivate(state)

    def _take_down(self, state: LifecycleState) -> None:
        self._deactivate(state)
        self._clean_up()

    def _autostart(self) -> None:
        self.destroy_timer(self._autostart_timer)
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    # Change of the label set while configured.

    def _apply(self, settings: Settings) -> None:
        """Switch to the label set of the new settings; raises HydranetError if this fails."""
        name = settings.label_set
        if self._predictor is None or name == self._declared.settings.label_set:
            return
        piece = self._predictor.metadata.label_slice(name)
        if piece is None or piece.labels == self._predictor.label_set:
            return
        try:
            self._switch_label_set(piece.labels, settings)
        except HydranetError:
            raise
        except Exception as error:  # rclpy would end the process
            self.get_logger().error(traceback.format_exc())
            raise HydranetError(
                f'Label set {piece.labels.name} cannot be prepared ({type(error).__name__}: '
                f'{error}); the old label set stays in use.'
            ) from error

    def _switch_label_set(self, label_set: LabelSet, settings: Settings) -> None:
        """Prepare the new graph while the old one processes frames, then replace the old one."""
        begin = time.monotonic()
        old, processor = self._predictor, self._processor
        assert old is not None and self._label_info is not None
        facts = processor.input_facts if processor else None
        size = (settings.warm_up_height, settings.warm_up_width)
        new = old.for_label_set(label_set.name, (facts.height, facts.width) if facts else size)
        # Outputs before this block belong to the old label set, outputs after it to the new one.
        with processor.between_frames() if processor else nullcontext():
            self._predictor = new
            self._label_info.label_set = label_set
            self._declared.fill('class_names', label_set.classes)
            if processor is not None:
                processor.predictor = new
                self._label_info.publish()
        old.close()
        self.get_logger().info(
            f'Label set {label_set.name} is in use after {time.monotonic() - begin:.1f} s.'
        )

    # Diagnostics.

    def _model_facts(self) -> dict[str, str]:
        """Describe model and runtime for log and diagnostics."""
        predictor = self._predictor
        if predictor is None:
            return {}
        return {
            'model': predictor.metadata.name,
            'label set': predictor.label_set.name if predictor.label_set else 'none',
            'backend': predictor.backend.name,
            'device': predictor.backend.device,
            'precision': predictor.backend.precision,
        }

    def _publish_diagnostics(self) -> None:
        report = Report(
            state=self._lifecycle,
            statistics=self._statistics.snapshot(),
            fault=self._fault,
            image_timeout=self._declared.settings.image_timeout,
            facts=self._model_facts(),
            input_facts=self._processor.input_facts if self._processor else None,
            image_topic=self._input.topic if self._input else '',
            image_type=self._input.message_type if self._input else '',
            publisher_types=self._input.publisher_types() if self._input else (),
            incompatible_qos=self._input.incompatible_qos if self._input else '',
            camera_info_frame=self._input.camera_infos.latest_frame_id() if self._input else None,
        )
        stamp = self.get_clock().now().to_msg()
        message = diagnostic_array(report, self.get_fully_qualified_name(), stamp)
        self._diagnostics.publish(message)


def _load_model(settings: Settings) -> Predictor:
    """Load and warm up the model that the parameters name."""
    model = settings.model or default_model()
    if model is None:
        raise HydranetError(
            "This installation has no model: set the parameter 'model' to the path of a file."
        )
    loaded = read_model(model_path(model))
    extra = ('confidence',) if settings.confidence else ()
    fields = (*default_fields(loaded.metadata.tasks), *extra)
    size = (settings.warm_up_height, settings.warm_up_width)
    predictor = Predictor(
        loaded,
        device=settings.device,
        backend=settings.backend,
        precision=settings.precision,
        label_set=settings.label_set or None,
        # An exported graph has fixed outputs.
        fields=None if isinstance(loaded, ExportedModel) and not extra else fields,
        warm_up_size=size,
        working_width=settings.working_width,
        output_size=settings.output_size,
    )
    # Images may be resized; before the first camera_info, their focal length is not known.
    predictor.warm_up(*size)
    return predictor


def _output_qos() -> QoSProfile:
    """Return the outputs' quality of service; reliable matches every subscriber."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE
    )


def main() -> int:
    """Run the node until a signal ends it."""
    return run_process(NODE_NAME, _spin)


def _spin(stop: threading.Event) -> None:
    """Run the node's callbacks until ``stop`` is set, then shut the node down."""
    node = PerceptionNode()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while not stop.is_set():
            spin_once(executor, node, SPIN_PERIOD)
    finally:
        # Shut down first, because the frame threads use the node.
        if not node.finalized:
            node.trigger_shutdown()
        executor.shutdown()
        node.destroy_node()


if __name__ == '__main__':
    sys.exit(main())
