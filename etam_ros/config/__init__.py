"""Configuration: frozen, validated dataclasses, the only source of defaults.

Each field carries its description, range or choices, and whether it may change while frames
stream (`live`), see `options.py`. `ros/parameters.py` makes ROS parameters of the fields,
`cli/terminal/options.py` options of the command line.
"""

from etam_ros.config.everything import EverythingConfig as EverythingConfig
from etam_ros.config.everything import EverythingServiceConfig as EverythingServiceConfig
from etam_ros.config.everything import MaskletsConfig as MaskletsConfig
from etam_ros.config.network import BACKENDS as BACKENDS
from etam_ros.config.network import DEFAULT_MODEL as DEFAULT_MODEL
from etam_ros.config.network import DEVICES as DEVICES
from etam_ros.config.network import ENGINE_BACKENDS as ENGINE_BACKENDS
from etam_ros.config.network import PRECISIONS as PRECISIONS
from etam_ros.config.network import NetworkConfig as NetworkConfig
from etam_ros.config.node import GROUPS as GROUPS
from etam_ros.config.node import CameraConfig as CameraConfig
from etam_ros.config.node import DiagnosticsConfig as DiagnosticsConfig
from etam_ros.config.node import EventsConfig as EventsConfig
from etam_ros.config.node import ImagesConfig as ImagesConfig
from etam_ros.config.node import NodeConfig as NodeConfig
from etam_ros.config.node import OverlayConfig as OverlayConfig
from etam_ros.config.playing import BagConfig as BagConfig
from etam_ros.config.playing import PlayerConfig as PlayerConfig
from etam_ros.config.pointing import ClickPlaneConfig as ClickPlaneConfig
from etam_ros.config.pointing import ClicksConfig as ClicksConfig
from etam_ros.config.pointing import DetectionsConfig as DetectionsConfig
from etam_ros.config.pointing import MarkersConfig as MarkersConfig
from etam_ros.config.pointing import SourcesConfig as SourcesConfig
from etam_ros.config.positions import DepthConfig as DepthConfig
from etam_ros.config.positions import ObjectMarkersConfig as ObjectMarkersConfig
from etam_ros.config.positions import TransformsConfig as TransformsConfig
from etam_ros.config.tracking import HistoryConfig as HistoryConfig
from etam_ros.config.tracking import TrackerConfig as TrackerConfig
