import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import workers.label
from photofleet.catalog.models import Label
from photofleet.catalog.taxonomy import SILENCED, Taxonomy, format_taxonomy, load_taxonomy
from photofleet.catalog.taxonomy_build import DATA, EDITS, digests
from photofleet.catalog.vocabulary import meant_by
from workers.label.imagenet import class_ids

CLASSES = Path(workers.label.__file__).with_name("imagenet_classes.txt")

# What a person may search for, photos of what it finds, and photos of what it does not find.
SEARCHES = {
    "dog": ("Pembroke Welsh corgi, Chihuahua, Dalmatian, pug, Siberian husky", "timber wolf, tabby cat, hot dog"),
    "puppy": ("golden retriever, beagle", "tabby cat, axolotl"),
    "husky": ("Siberian husky", "pug"),
    "corgi": ("Pembroke Welsh corgi, Cardigan Welsh corgi", "Pomeranian, cardigan"),
    "cat": ("tabby cat, Siamese cat, Egyptian cat, Persian cat", "lion, lynx, ring-tailed lemur"),
    "kitten": ("Persian cat", "pug"),
    "pet": ("Persian cat, pug", "lion"),
    "big cat": ("lion, tiger, leopard, cheetah", "Siamese cat, cougar"),
    "animal": ("goldfish, ostrich, tarantula, giant panda, jellyfish", "teddy bear, coral fungus, daisy"),
    "bear": ("polar bear, giant panda, sloth bear", "teddy bear, koala"),
    "panda": ("giant panda, red panda", "polar bear"),
    "monkey": ("macaque, baboon, howler monkey, capuchin monkey", "gorilla, ring-tailed lemur"),
    "elephant": ("African elephant, Indian elephant", "hippopotamus"),
    "horse": ("horse", "zebra, horse cart, horse chestnut"),
    "cow": ("cow", "bison, water buffalo"),
    "sheep": ("sheep, bighorn", "ibex"),
    "bird": ("robin, king penguin, ostrich, hummingbird, rooster, crane (bird)", "bee, crane (machine)"),
    "chicken": ("rooster, hen", "prairie chicken, duck"),
    "duck": ("duck, red-breasted merganser", "platypus, goose"),
    "owl": ("great grey owl", "bald eagle"),
    "fish": ("goldfish, great white shark, coho salmon, stingray", "starfish, orca, jellyfish"),
    "whale": ("grey whale, orca", "great white shark"),
    "snake": ("Indian cobra, garter snake, boa constrictor, green mamba", "eel, feather boa"),
    "turtle": ("loggerhead turtle, box turtle", "African chameleon"),
    "frog": ("bullfrog, tree frog", "common newt"),
    "insect": ("bee, ladybug, monarch butterfly, ant, dragonfly", "tarantula, trilobite"),
    "spider": ("tarantula, black widow", "harvestman, spider web, spider monkey"),
    "flower": ("daisy, yellow lady's slipper", "broccoli"),
    "mushroom": ("mushroom, agaric, bolete", "daisy"),
    "person": ("groom, baseball player, scuba diver", "orangutan"),
    "mountain": ("mountain, volcano", "mountain bike, tent"),
    "beach": ("beach", "lake, station wagon"),
    "food": ("pizza, cheeseburger, banana, broccoli, ice cream, bagel", "menu, hay, red wine, dish rack"),
    "pizza": ("pizza", "burrito"),
    "fruit": ("orange, lemon, banana, strawberry, apple", "acorn, corn, rose hip, cucumber"),
    "vegetable": ("cauliflower, bell pepper, zucchini, corn", "banana"),
    "bread": ("baguette, bagel", "pizza"),
    "dessert": ("ice cream, trifle", "pizza"),
    "coffee": ("espresso", "red wine, coffeepot"),
    "drink": ("espresso, red wine, eggnog", "pizza, goblet"),
    "wine": ("red wine", "wine bottle"),
    "cup": ("cup, coffee mug", "eggnog, football helmet"),
    "mug": ("coffee mug", "wine bottle"),
    "bottle": ("beer bottle, water bottle", "goblet"),
    "car": ("taxi, sports car, convertible, jeep, limousine", "freight car, school bus, car mirror, car wheel"),
    "bike": ("mountain bike, tandem bicycle, moped", "tricycle, car wheel"),
    "motorcycle": ("moped, motor scooter", "mountain bike"),
    "bus": ("school bus, minibus", "taxi"),
    "truck": ("fire engine, pickup truck", "school bus"),
    "train": ("bullet train", "tram, steam locomotive"),
    "boat": ("canoe, speedboat, catamaran, gondola", "ocean liner, soup bowl"),
    "ship": ("ocean liner, container ship, aircraft carrier", "canoe, airship"),
    "airplane": ("airliner, warplane", "hand plane, balloon"),
    "plane": ("airliner", "hand plane"),
    "vehicle": ("school bus, airliner, canoe, bullet train, mountain bike, space shuttle", "space heater, stretcher"),
    "building": ("church, barn, castle, library, lighthouse, bookshop", "suspension bridge, birdhouse"),
    "bridge": ("suspension bridge, viaduct", "castle"),
    "furniture": ("desk, rocking chair, four-poster bed, bookcase", "rug"),
    "chair": ("rocking chair, throne", "park bench"),
    "sofa": ("sofa", "park bench"),
    "lamp": ("table lamp, candle", "traffic light"),
    "phone": ("cell phone, dial telephone, payphone", "iPod, microphone"),
    "computer": ("laptop, desktop computer", "slide rule, website, computer mouse"),
    "electronics": ("laptop, television, cell phone", "abacus"),
    "camera": ("reflex camera, Polaroid camera", "binoculars"),
    "musical instrument": ("violin, grand piano, drum, trumpet, electric guitar", "guitar pick, drumstick"),
    "guitar": ("acoustic guitar, electric guitar", "violin"),
    "tool": ("hammer, screwdriver, chain saw", "fountain pen"),
    "weapon": ("rifle, revolver, missile", "mousetrap"),
    "clock": ("wall clock, analog clock", "hourglass"),
    "ball": ("soccer ball, tennis ball", "punching bag, balloon"),
    "toy": ("teddy bear", "toy poodle, toy terrier"),
    "clothing": ("T-shirt, jeans, kimono, running shoe, sombrero", "seat belt, washing machine"),
    "hat": ("sombrero, cowboy hat", "crash helmet"),
    "shoe": ("running shoe, sandal", "shoe shop"),
    "dress": ("gown", "miniskirt"),
    "bag": ("backpack, purse", "punching bag"),
    "sunglasses": ("sunglasses", "wine bottle"),
    "dogs": ("golden retriever, Chihuahua", "timber wolf, hot dog"),
    "puppies": ("beagle, pug", "tabby cat"),
    "terrier": ("Airedale terrier, Yorkshire terrier, cairn terrier", "beagle, tabby cat"),
    "retriever": ("golden retriever, Labrador retriever", "Irish setter"),
    "poodle": ("toy poodle, standard poodle", "pug"),
    "hound": ("beagle, bloodhound, Afghan hound", "Chihuahua, hyena"),
    "sheepdog": ("Border collie, Old English sheepdog, collie", "sheep, pug"),
    "labrador retriever": ("Labrador retriever", "golden retriever"),
    "german shepherd": ("German shepherd", "Doberman"),
    "wolf": ("timber wolf, white wolf", "wolf spider, Siberian husky"),
    "wolves": ("timber wolf, red wolf", "wolf spider"),
    "fox": ("red fox, Arctic fox", "flat-coated retriever, wire-haired fox terrier"),
    "cats": ("tabby cat, Persian cat", "lion, polecat"),
    "lion": ("lion", "sea lion, lionfish, tiger"),
    "tiger": ("tiger", "tiger beetle, tiger shark, tabby cat"),
    "panther": ("jaguar, cougar", "tabby cat"),
    "mountain lion": ("cougar", "lion"),
    "wildlife": ("lion, bald eagle, jellyfish", "teddy bear"),
    "mammal": ("dugong, koala, orca", "king penguin, goldfish"),
    "reptile": ("iguana, Nile crocodile, box turtle", "bullfrog"),
    "amphibian": ("bullfrog, axolotl", "iguana"),
    "lizard": ("iguana, Komodo dragon", "Nile crocodile, axolotl"),
    "crocodile": ("Nile crocodile", "American alligator"),
    "dinosaur": ("triceratops", "Komodo dragon"),
    "shark": ("great white shark, hammerhead shark", "stingray, orca"),
    "salmon": ("coho salmon", "goldfish"),
    "clownfish": ("clownfish", "goldfish"),
    "crab": ("king crab, fiddler crab", "American lobster"),
    "shellfish": ("snail, conch", "stingray"),
    "butterfly": ("monarch butterfly, admiral butterfly", "bee, bow tie, rock beauty angelfish"),
    "butterflies": ("monarch butterfly", "dragonfly"),
    "bug": ("ladybug, cockroach", "tarantula"),
    "beetle": ("ladybug, dung beetle", "ant"),
    "bumblebee": ("bee", "fly"),
    "ladybird": ("ladybug", "ant"),
    "eagle": ("bald eagle", "vulture"),
    "penguin": ("king penguin", "albatross"),
    "parrot": ("macaw, lorikeet, sulphur-crested cockatoo", "toucan"),
    "swan": ("black swan", "goose"),
    "geese": ("goose", "duck"),
    "squirrel": ("squirrel", "squirrel monkey, marmot"),
    "bunny": ("cottontail rabbit, Angora rabbit", "hare, hamster"),
    "pony": ("horse", "zebra"),
    "bull": ("cow", "bullfrog, bison"),
    "lamb": ("sheep, bighorn", "ibex"),
    "pig": ("pig", "guinea pig, warthog"),
    "hippo": ("hippopotamus", "rhinoceros beetle"),
    "alpaca": ("llama", "camel"),
    "ape": ("gorilla, chimpanzee", "macaque"),
    "rodent": ("hamster, beaver, squirrel", "hare, weasel"),
    "bird of prey": ("bald eagle, vulture, great grey owl", "magpie"),
    "orchid": ("yellow lady's slipper", "daisy"),
    "wedding": ("groom", "gown"),
    "graduation": ("mortarboard, academic gown", "gown"),
    "landscape": ("valley, volcano, beach", "patio"),
    "lake": ("lake", "beach"),
    "alps": ("mountain", "valley"),
    "volcano": ("volcano", "mountain"),
    "coast": ("beach", "lake"),
    "coral": ("brain coral", "coral reef, coral fungus"),
    "burger": ("cheeseburger", "hot dog"),
    "sandwich": ("cheeseburger, hot dog", "burrito"),
    "ice cream": ("ice cream", "popsicle"),
    "pasta": ("carbonara", "pizza"),
    "spaghetti": ("carbonara", "spaghetti squash"),
    "apple": ("apple", "custard apple, pineapple"),
    "corn": ("corn", "acorn, unicycle"),
    "cabbage": ("cabbage", "cabbage butterfly, cauliflower"),
    "potato": ("mashed potato", "zucchini"),
    "courgette": ("zucchini", "cucumber"),
    "lollipop": ("popsicle", "ice cream"),
    "alcohol": ("red wine, eggnog", "espresso"),
    "cappuccino": ("espresso", "red wine"),
    "teacup": ("cup", "teapot"),
    "knife": ("cleaver, letter opener", "spatula"),
    "knives": ("cleaver", "wooden spoon"),
    "spoon": ("wooden spoon", "ladle"),
    "pan": ("frying pan, wok", "pan flute, teapot"),
    "pot": ("teapot, coffeepot, cauldron", "flowerpot"),
    "fridge": ("refrigerator", "dishwasher"),
    "home appliance": ("washing machine, toaster, refrigerator", "television"),
    "oven": ("rotisserie, stove", "Dutch oven, toaster"),
    "taxi": ("taxi", "limousine"),
    "cab": ("taxi", "cabbage"),
    "suv": ("jeep", "limousine"),
    "cars": ("sports car, race car", "railway car, school bus"),
    "police car": ("police van", "ambulance"),
    "ambulance": ("ambulance", "fire engine"),
    "fire truck": ("fire engine", "tow truck"),
    "motorbike": ("moped, motor scooter", "mountain bike"),
    "bicycle": ("mountain bike, tandem bicycle", "moped"),
    "steam train": ("steam locomotive", "tram"),
    "tram": ("tram", "trolleybus"),
    "sailboat": ("catamaran, trimaran", "speedboat, canoe"),
    "cruise ship": ("ocean liner", "container ship"),
    "jet": ("airliner", "hot pot"),
    "rocket": ("missile", "space shuttle"),
    "hot-air balloon": ("balloon", "airship"),
    "church": ("church", "mosque"),
    "tower": ("lighthouse, water tower", "tow truck"),
    "lighthouse": ("lighthouse", "water tower"),
    "castle": ("castle", "palace"),
    "shop": ("bakery, bookshop, grocery store", "barn, shopping cart"),
    "store": ("shoe shop, toyshop", "restaurant"),
    "cinema": ("movie theater", "library"),
    "gas station": ("gas pump", "space heater"),
    "traffic light": ("traffic light", "spotlight"),
    "flag": ("flagpole", "street sign"),
    "fence": ("picket fence, chainlink fence", "fire screen"),
    "roof": ("tile roof, dome, thatched roof", "bell tower"),
    "tent": ("tent", "yurt"),
    "couch": ("sofa", "park bench"),
    "bed": ("four-poster bed", "crib, flowerpot"),
    "table": ("desk, dining table, pool table", "table lamp"),
    "bookshelf": ("bookcase", "library"),
    "blinds": ("window shade", "shower curtain"),
    "carpet": ("prayer rug", "doormat"),
    "pillow": ("pillow", "quilt"),
    "blanket": ("quilt", "pillow"),
    "bathtub": ("bathtub", "sink"),
    "sink": ("sink", "bathtub"),
    "tv": ("television", "entertainment center, monitor"),
    "screen": ("monitor", "window screen, fire screen, sunscreen"),
    "laptop": ("laptop", "desktop computer"),
    "notebook": ("laptop", "comic book, binder"),
    "keyboard": ("computer keyboard", "grand piano, typewriter"),
    "mouse": ("computer mouse", "mousetrap, hamster"),
    "smartphone": ("cell phone", "payphone"),
    "speaker": ("loudspeaker", "microphone"),
    "piano": ("grand piano, upright piano", "accordion"),
    "violin": ("violin", "cello"),
    "drum": ("drum, steel drum", "drumstick"),
    "flute": ("flute", "pan flute, oboe"),
    "gun": ("rifle, revolver, cannon", "gong, power drill"),
    "glasses": ("sunglasses", "hourglass, greenhouse"),
    "glass": ("goblet, beer glass", "sunglasses, hourglass"),
    "watch": ("digital watch", "stopwatch, wall clock"),
    "jewellery": ("necklace", "safety pin"),
    "handbag": ("purse", "backpack"),
    "sneaker": ("running shoe", "sandal"),
    "boot": ("cowboy boot", "sandal"),
    "tie": ("bow tie, bolo tie, necktie", "bow (weapon)"),
    "swimsuit": ("bikini, one-piece swimsuit, swimming trunks", "sarong"),
    "bathing suit": ("bikini, one-piece swimsuit", "bathing cap"),
    "coat": ("trench coat, fur coat, lab coat", "poncho"),
    "helmet": ("crash helmet, football helmet", "bathing cap"),
    "football": ("soccer ball", "football helmet"),
    "golf": ("golf ball", "golden retriever"),
    "skiing": ("ski", "ski mask"),
    "sports equipment": ("barbell, tennis ball, racket", "baseball player"),
    "puzzle": ("jigsaw puzzle, crossword", "maze"),
    "book": ("book cover", "comic book, bookcase"),
    "pen": ("fountain pen, ballpoint pen", "pencil case, king penguin"),
    "umbrella": ("umbrella", "parachute"),
    "candle": ("candle", "torch"),
    "mirror": ("car mirror", "window screen"),
    "spider web": ("spider web", "garden spider"),
    "toilet paper": ("toilet paper", "paper towel"),
    "people": ("man, woman, baby, family, crowd, groom", "snowman, doll"),
    "children": ("child, boy, girl", "woman, baby"),
    "women": ("woman, mother, bride, grandmother", "man, girl"),
    "men": ("man, father, grandfather", "woman, snowman"),
    "kids": ("child, boy, girl", "goat, baby"),
    "selfie": ("self-portrait", "portrait"),
    "grandma": ("grandmother", "grandfather"),
    "weddings": ("wedding, groom", "birthday"),
    "ceremony": ("wedding, graduation ceremony", "party"),
    "birthday party": ("birthday", "birthday cake"),
    "Christmas": ("Christmas", "Christmas tree, Christmas stocking"),
    "sports": ("soccer, skiing, tennis, ice skating", "soccer ball, ski, hiking"),
    "jogging": ("running", "running shoe"),
    "hike": ("hiking", "trail"),
    "holidays": ("vacation", "Christmas"),
    "fireworks": ("fireworks", "fire"),
    "trees": ("tree, palm tree", "Christmas tree, tree frog"),
    "palm": ("palm tree", "pineapple"),
    "roses": ("rose", "rose hip"),
    "leaves": ("leaf", "leaf beetle"),
    "woods": ("forest, jungle", "wooden spoon"),
    "sea": ("sea", "sea lion, lake"),
    "ocean": ("sea", "ocean liner"),
    "waves": ("wave", "microwave"),
    "rivers": ("river", "stream"),
    "waterfalls": ("waterfall", "rain"),
    "stone": ("rock", "stone wall, rock crab"),
    "canyon": ("canyon", "cliff"),
    "clouds": ("cloud", "sky"),
    "stars": ("star, Milky Way", "starfish, sun"),
    "sunset": ("sunset", "sunrise, sun"),
    "dawn": ("sunrise", "sunset"),
    "snow": ("snow", "snowman, snowmobile, snow leopard"),
    "storm": ("thunderstorm", "rain"),
    "mist": ("fog", "smoke"),
    "fall": ("autumn", "waterfall"),
    "fire": ("fire, campfire", "fire engine, fireworks"),
    "city": ("city, skyline", "village"),
    "streets": ("street", "street sign"),
    "road": ("road, street", "railway car"),
    "home": ("house, cabin", "home theater"),
    "buildings": ("skyscraper, hotel, museum, house, train station", "city"),
    "cafe": ("café", "restaurant, bar"),
    "train station": ("train station", "train"),
    "harbour": ("harbor", "pier"),
    "pub": ("bar", "restaurant"),
    "swimming pool": ("swimming pool", "pool table"),
    "stairs": ("stairs", "balcony"),
    "statues": ("statue", "sculpture"),
    "sculpture": ("sculpture, statue", "painting"),
    "graffiti": ("graffiti", "painting"),
    "kitchens": ("kitchen", "stove"),
    "cake": ("cake, birthday cake, cupcake", "pie, cookie"),
    "birthday cake": ("birthday cake", "cupcake"),
    "biscuits": ("cookie", "cake"),
    "donut": ("doughnut", "bagel"),
    "sweets": ("candy", "chocolate"),
    "dinner": ("dinner", "dining table"),
    "salad": ("salad", "cabbage"),
    "meat": ("meat, steak, sausage", "egg, hot dog"),
    "fries": ("French fries", "mashed potato"),
    "beer": ("beer", "beer bottle, beer glass, wine"),
    "cherries": ("cherry", "strawberry"),
    "tomatoes": ("tomato", "potato"),
    "tea": ("tea", "teapot"),
    "giraffes": ("giraffe", "zebra"),
    "deer": ("deer, moose, reindeer", "antelope"),
    "caribou": ("reindeer", "moose"),
    "bats": ("bat", "hamster"),
    "mice": ("mouse (animal), computer mouse", "hamster"),
    "dove": ("pigeon", "seagull"),
    "seagulls": ("seagull", "puffin"),
    "rhino": ("rhinoceros", "rhinoceros beetle"),
    "raven": ("crow", "magpie"),
    "helicopters": ("helicopter", "airplane"),
    "aircraft": ("helicopter, drone, airliner", "aircraft carrier"),
    "metro": ("subway", "tram"),
    "pram": ("stroller", "wheelbarrow"),
    "books": ("book, book cover", "bookshop, comic book"),
    "present": ("gift", "box"),
    "wedding dress": ("wedding dress", "gown"),
    "kite": ("kite (toy), kite (bird)", "balloon"),
    "chess": ("chess", "board game"),
}  # fmt: skip

CATEGORIES = {
    "Animals and Pets": ("pug, goldfish, tarantula, birdhouse", "teddy bear, hot dog"),
    "Apparel and Accessories": ("jeans, running shoe, purse, sunglasses", "quilt"),
    "Beauty and Personal Care": ("lipstick, hair dryer, perfume", "coffee mug"),
    "Buildings and Architecture": ("church, suspension bridge, lighthouse, fountain", "tent"),
    "Documents and Office": ("fountain pen, menu, desk, comic book", "television"),
    "Everyday Objects": ("umbrella, bucket, wall clock, padlock", "dog"),
    "Events and Celebrations": ("groom, jack-o'-lantern, mortarboard", "desk"),
    "Food and Beverage": ("pizza, banana, espresso, red wine, restaurant", "hay"),
    "Furniture and Furnishings": ("sofa, bookcase, table lamp, quilt", "taxi"),
    "Health and Medicine": ("stethoscope, syringe, Band-Aid, ambulance", "pizza"),
    "Home and Indoors": ("bathtub, sink, washing machine, television", "volcano"),
    "Kitchen and Dining": ("stove, wok, coffee mug, wine bottle", "sofa"),
    "Materials and Fabrics": ("velvet, wool", "pizza"),
    "Music and Performing Arts": ("violin, grand piano, microphone, stage", "binoculars"),
    "Nature and Outdoors": ("volcano, beach, daisy, tent", "desk"),
    "People": ("groom, baseball player, scuba diver", "gorilla"),
    "Plants and Flowers": ("daisy, corn, agaric, flowerpot", "brain coral"),
    "Religion": ("church, mosque, altar", "castle"),
    "Science and Measurement": ("binoculars, scales, space shuttle, triceratops", "screwdriver"),
    "Shops and Services": ("bakery, shopping cart, ATM", "palace"),
    "Sports and Fitness": ("soccer ball, barbell, ski, mountain bike", "violin"),
    "Technology and Computing": ("laptop, cell phone, reflex camera, hard drive", "hammer"),
    "Tools and Machinery": ("hammer, power drill, tractor, screw", "laptop"),
    "Toys and Games": ("teddy bear, jigsaw puzzle, swing", "toy poodle"),
    "Underwater": ("goldfish, coral reef, scuba diver, orca", "pelican"),
    "Vehicles and Transport": ("taxi, airliner, canoe, traffic light", "stretcher"),
    "Weapons and Military": ("rifle, tank, shield, military uniform", "mousetrap"),
}


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


@pytest.fixture(scope="module")
def called(taxonomy: Taxonomy) -> Mapping[str, Sequence[Label]]:
    """The labels by what they are called, as the search asks the database for them."""
    labels: dict[str, list[Label]] = {}
    for label in taxonomy:
        for term in {word.lower() for word in (label.name, *label.synonyms)}:
            labels.setdefault(term, []).append(Label(id=label.id, name=label.name))
    return labels


@pytest.mark.parametrize("word", SEARCHES)
def test_a_word_finds_what_people_mean_by_it(
    taxonomy: Taxonomy, called: Mapping[str, Sequence[Label]], word: str
) -> None:
    expected, unexpected = (set(names.split(", ")) for names in SEARCHES[word])
    meant = {label.id for label in meant_by(word, called)}
    found = {label.name for label in taxonomy if meant & {label.id, *taxonomy.ancestors(label.id)}}

    assert expected | unexpected <= {label.name for label in taxonomy}
    assert expected <= found
    assert not unexpected & found


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_category_has_what_people_look_for_in_it(taxonomy: Taxonomy, category: str) -> None:
    expected, unexpected = (set(names.split(", ")) for names in CATEGORIES[category])
    found = {label.name for label in taxonomy if category in label.categories}

    assert expected | unexpected <= {label.name for label in taxonomy}
    assert expected <= found
    assert not unexpected & found


def test_every_label_is_in_one_of_the_categories(taxonomy: Taxonomy) -> None:
    assert {category for label in taxonomy for category in label.categories} == set(CATEGORIES)
    assert [label for label in taxonomy if not label.categories] == []


def test_a_label_is_in_all_categories_of_its_parents(taxonomy: Taxonomy) -> None:
    for label in taxonomy:
        for parent in label.parents:
            assert set(taxonomy[parent].categories) <= set(label.categories), label


@pytest.mark.parametrize(
    ("class_id", "name"),
    [
        ("n02930766", "taxi"),  # cab
        ("n02389026", "horse"),  # sorrel
        ("n01871265", "elephant"),  # tusker
        ("n03710637", "one-piece swimsuit"),  # maillot
        ("n03710721", "one-piece swimsuit"),  # maillot, tank suit
        ("n04355933", "sunglasses"),  # sunglass
        ("n04152593", "monitor"),  # screen
        ("n02012849", "crane (bird)"),
        ("n03126707", "crane (machine)"),
        ("n02099601", "golden retriever"),
    ],
)
def test_a_class_has_the_name_that_people_use(taxonomy: Taxonomy, class_id: str, name: str) -> None:
    assert taxonomy.of_class(class_id).name == name


def test_no_machine_says_website_nor_what_nobody_would_put_below_a_picture(taxonomy: Taxonomy) -> None:
    silenced = {label.name for label in taxonomy if label.threshold >= SILENCED}

    assert {"website", "envelope", "guillotine", "hoofed mammal"} <= silenced
    assert not {"dog", "terrier", "animal", "vehicle", "food", "taxi"} & silenced


def test_what_hurts_where_it_is_wrong_takes_more_to_be_shown(taxonomy: Taxonomy) -> None:
    thresholds = {label.name: label.threshold for label in taxonomy}

    assert (
        thresholds["gorilla"] == thresholds["primate"] == thresholds["assault rifle"] > thresholds["golden retriever"]
    )


def test_every_dog_of_the_network_is_found_as_a_dog(taxonomy: Taxonomy) -> None:
    labels = {taxonomy.of_class(class_id).id for class_id in class_ids()}
    dogs = {label_id for label_id in labels if "n02084071" in taxonomy.ancestors(label_id)}

    assert len(dogs) == 117  # of 118 classes; Eskimo dogs are huskies
    assert "n02113023" in dogs


def test_every_class_of_the_network_is_a_label_or_merged_into_one(taxonomy: Taxonomy) -> None:
    merged = [class_id for label in taxonomy for class_id in label.merged]

    assert len(set(merged)) == len(merged)
    assert not [class_id for class_id in merged if class_id in taxonomy]
    assert set(class_ids()) <= {label.id for label in taxonomy}.union(merged)


def test_every_label_is_a_class_or_above_one_or_said_by_people_alone(taxonomy: Taxonomy) -> None:
    labels = {taxonomy.of_class(class_id).id for class_id in class_ids()}
    labels = labels.union(*(taxonomy.ancestors(label_id) for label_id in labels))
    people = tomllib.loads(EDITS.read_text(encoding="utf-8"))["people"].keys()

    assert labels.isdisjoint(people)
    assert {label.id for label in taxonomy} == labels | people


def test_every_parent_is_in_the_taxonomy(taxonomy: Taxonomy) -> None:
    assert [label for label in taxonomy if not all(parent in taxonomy for parent in label.parents)] == []


def test_nothing_is_a_kind_of_itself(taxonomy: Taxonomy) -> None:
    assert [label for label in taxonomy if label.id in taxonomy.ancestors(label.id)] == []


def test_no_parent_says_what_another_parent_says_already(taxonomy: Taxonomy) -> None:
    for label in taxonomy:
        for parent in label.parents:
            assert not taxonomy.ancestors(parent).intersection(label.parents), label


def test_no_two_labels_share_a_name_so_that_searching_a_name_finds_one_thing(taxonomy: Taxonomy) -> None:
    counts = Counter(label.name.lower() for label in taxonomy)

    assert [name for name, count in counts.items() if count > 1] == []


def test_no_label_repeats_a_word(taxonomy: Taxonomy) -> None:
    for label in taxonomy:
        words = (label.name, *label.synonyms)
        assert all(words)
        assert len(set(words)) == len(words), label


def test_ancestors_are_everything_above_and_nothing_below(taxonomy: Taxonomy) -> None:
    names = {taxonomy[ancestor].name for ancestor in taxonomy.ancestors("n02113023")}

    assert names == {"corgi", "dog", "canine", "carnivore", "mammal", "domestic animal", "animal"}


def test_the_shipped_file_was_built_from_these_edits_and_classes_and_is_as_it_was_built(taxonomy: Taxonomy) -> None:
    built = (DATA / "taxonomy.sha256").read_text(encoding="utf-8")

    assert built == digests(EDITS, CLASSES, DATA / "taxonomy.tsv"), "run python -m photofleet.catalog.taxonomy_build"
    assert (DATA / "taxonomy.tsv").read_text(encoding="utf-8") == format_taxonomy(taxonomy)
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in (DATA / "WORDNET-LICENSE").read_text()
