"""Bags without ROS: reading rosbag2 folders and files, and writing the results of `etam track`.

    with Bag(Path("bag")) as bag:
        for message in bag.messages(["/camera/image_raw"]):
            ...

A bag consists of one or several parts, which are read one after the other:

    parts.py           the files of a bag, and its metadata.yaml
    whole_part.py      a complete file, through rosbags
    mcap_stream.py     an MCAP file without its end, through its records
    sqlite_rescue.py   an SQLite file that is damaged, or was never finished
    reader.py          all parts as one: topics and messages
    definitions.py     from the bytes of a message to its fields
"""
