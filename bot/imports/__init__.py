"""Lists that the earlier software exported (danh sách nhập): the mapping of columns, reading files, judging rows."""
