"""A short conversation with every kind of screen, for the tests in a browser and for looking at the page."""

from __future__ import annotations

from dataclasses import replace

from dialogs.model import Choice, Document, Incoming, Opened, Picture, Pressed, Screen, Sent, Typed
from tests.web.fake import Memory, numbered

WELCOME = Screen(
    'Kính chào ông/bà. Đây là nơi làm phiếu tự đánh giá danh hiệu "Công dân học tập" của '
    "Phường Hồng Gai, Thành phố Quảng Ninh.\n\nÔng/bà sinh sống hoặc làm việc ở đây phải không ạ?",
    choices=(Choice("yes", "Đúng rồi", "main"), Choice("no", "Không phải")),
)
NAME = Screen("Xin cho biết họ và tên của ông/bà.", choices=(Choice("back", "Quay lại", "quiet"),), input="name")
YEAR = Screen("Ông/bà sinh năm nào ạ?", choices=(Choice("back", "Quay lại", "quiet"),), input="year")
QUESTION = Screen(
    "Trong năm, ông/bà tham gia bao nhiêu buổi học, sinh hoạt chuyên đề ở nhà văn hóa, câu lạc bộ, thư viện, hội thảo?",
    title="A3 · Sắp xếp công việc để tham gia hoạt động học tập ở cộng đồng",
    progress=(3, 10),
    choices=(
        Choice("tot", "Từ 6 buổi trở lên"),
        Choice("kha", "4 đến 5 buổi"),
        Choice("tb", "2 đến 3 buổi"),
        Choice("it", "1 buổi"),
        Choice("khong", "Chưa tham gia buổi nào"),
        Choice("back", "Quay lại", "quiet"),
        Choice("pause", "Tạm nghỉ", "quiet"),
    ),
)
EVIDENCE = Screen(
    "Ông/bà gửi một tấm ảnh: giấy mời, ảnh lớp học hoặc giấy chứng nhận đều được. "
    'Chưa có thì chọn "Không có", phiếu vẫn được giữ.',
    title="Minh chứng cho câu 3",
    progress=(3, 10),
    input="photo",
    choices=(
        Choice("done", "Xong, câu tiếp theo", "main"),
        Choice("none", "Không có"),
        Choice("ask", "Nhờ chi hội"),
        Choice("back", "Quay lại", "quiet"),
    ),
)


def play(memory: Memory, incoming: Incoming) -> list[Screen]:
    """Opened → yes → name → year → question → evidence → photos → overview."""
    match incoming.act:
        case Opened():
            return [numbered(memory, WELCOME)]
        case Pressed("yes"):
            return [numbered(memory, NAME)]
        case Typed(text) if text == "/help":
            return [Screen("Nhắn /hoso để xem hồ sơ, /dulieu để xem dữ liệu. Cần hỏi: bà Lan, 0203 382 5555.")]
        case Typed(text) if text == "???":
            help_line = "Tôi chưa hiểu ý ông/bà. Ông/bà nhắn một số từ 1 đến 5, hoặc nhắn 0 để quay lại."
            same = Screen(QUESTION.text, QUESTION.choices, QUESTION.title, help_line, progress=(3, 10))
            return [replace(same, number=memory.turn)]
        case Typed(text) if text.isdigit() and len(text) == 4:
            return [numbered(memory, QUESTION)]
        case Typed():
            return [numbered(memory, YEAR)]
        case Pressed("tot" | "kha" | "tb"):
            return [numbered(memory, EVIDENCE)]
        case Sent(uploads, _):
            n = len(uploads)
            got = Screen(
                EVIDENCE.text,
                EVIDENCE.choices,
                EVIDENCE.title,
                f'Đã nhận {n} ảnh cho câu 3. Gửi thêm, hoặc chọn "Xong".',
                input="photo",
                progress=(3, 10),
            )
            return [numbered(memory, got)]
        case Pressed("done" | "none" | "ask"):
            mine = tuple(Picture(key, f"Ảnh {n}: giấy mời") for n, (_, key) in enumerate(memory.pictures, 1))
            return [
                numbered(
                    memory,
                    Screen(
                        "Theo phiếu, ông/bà được 76/100 điểm, còn thiếu 4 điểm.\n\nNếu năm nay ông/bà đã dự từ 6 buổi "
                        "trở lên thì sửa câu 3 (thêm 5 điểm, cần minh chứng).",
                        title="Xem lại phiếu",
                        pictures=mine,
                        documents=(Document("du-lieu.json", "application/json", '{"ten": "Lê"}'),),
                        choices=(
                            Choice("fix", "Sửa câu 3"),
                            Choice("submit", "Nộp phiếu", "main"),
                            Choice("withdraw", "Rút hồ sơ", "danger"),
                        ),
                    ),
                )
            ]
        case _:
            return [numbered(memory, QUESTION)]
