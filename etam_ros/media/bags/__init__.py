"""Bags without ROS: rosbag2 folders and files in, what `etam track` found out.

    with Bag(Path("bag")) as bag:
        for message in bag.messages(["/camera/image_raw"]):
            ...

A bag is one or several parts, which are read one after the other:

    parts.py           which files a bag consists of, and what its metadata.yaml says of them
    whole_part.py      a file that is whole, through rosbags
    mcap_stream.py     an MCAP file without its end, through its records
    sqlite_rescue.py   an SQLite file that was damaged, or never put together
    reader.py          all parts as one: topics and messages
    definitions.py     bytes of a message -> its fields
"""
