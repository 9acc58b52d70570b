image_tag = "1.2.3"
