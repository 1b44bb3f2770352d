"""Support tickets of an imaginary furniture shop, written for this demo.

One example per intent is taught. Of the queries a third belongs to no intent: some are far away,
some come from the same shop and are the harder for it.
"""

from __future__ import annotations

EXAMPLES: dict[str, str] = {
    "late delivery": "My order was due on Tuesday and it still has not arrived.",
    "refund": "I sent the lamp back two weeks ago, please give me my money back.",
    "damaged item": "The bookshelf came out of the box with a cracked side panel.",
    "password": "I forgot my password and cannot log in to my account.",
    "change address": "I have moved, can you ship the order to a different address?",
    "cancel order": "I want to cancel the order I placed this morning.",
    "invoice": "Please send me an invoice for my last purchase, I need it for my taxes.",
    "discount code": "The coupon code from your newsletter is not accepted at checkout.",
    "assembly": "How do I put the wardrobe together? The instructions skip a step.",
    "back in stock": "When will the green armchair be available again? It says sold out.",
    "payment declined": "My credit card keeps being declined when I try to pay.",
    "unsubscribe": "Stop sending me promotional emails, please.",
}

KNOWN: dict[str, tuple[str, ...]] = {
    "late delivery": (
        "Where is my package? It should have been here last week.",
        "Still waiting for the sofa, the delivery date passed four days ago.",
        "Tracking has said 'out for delivery' since Friday and nothing came.",
        "Nobody showed up with my table yesterday although it was scheduled.",
    ),
    "refund": (
        "When do I get the money for the chair I returned?",
        "You confirmed my return but the amount is not back on my account yet.",
        "I would like to be reimbursed for the rug I gave back.",
        "How long does a refund take after you receive the goods?",
    ),
    "damaged item": (
        "The glass top of the coffee table arrived shattered.",
        "There is a deep scratch across the drawer, straight from the carton.",
        "One leg of the new stool was broken when I unpacked it.",
        "My mirror was delivered in pieces.",
    ),
    "password": (
        "The site will not let me sign in any more, how can I reset my login?",
        "I need a new password, the reset link never reaches me.",
        "Locked out of my profile after too many wrong passwords.",
        "can't remember what password i used, help me get back in",
    ),
    "change address": (
        "Please deliver to my office instead of my home.",
        "I typed the wrong street number, can the shipping address be corrected?",
        "We are moving next month, so send the bed to the new apartment.",
        "Could you update where my parcel is going? I live elsewhere now.",
    ),
    "cancel order": (
        "Please call off my order, I no longer need the desk.",
        "I ordered twice by accident, remove the second order before it ships.",
        "Changed my mind about the cabinet, can I still cancel?",
        "Don't send order 4471, I would like to withdraw it.",
    ),
    "invoice": (
        "My accountant wants a receipt with the VAT number on it.",
        "Where can I download the bill for the office chairs?",
        "I never got an invoice with my delivery, could you mail one?",
        "We need the purchase documents made out to our company.",
    ),
    "discount code": (
        "SPRING20 gives an error when I enter it in the basket.",
        "I have a voucher for ten percent off but the price does not change.",
        "Your promo code says expired although it is valid until Sunday.",
        "How do I apply the welcome discount? The field rejects it.",
    ),
    "assembly": (
        "Step six of the manual makes no sense, which screw goes into the rail?",
        "Is there a video that shows how to build the bunk bed?",
        "I cannot work out how the drawers are fixed to the frame.",
        "Do I need a special tool to mount the shelf on the wall?",
    ),
    "back in stock": (
        "Will you restock the oak bench any time soon?",
        "The blue cushions are unavailable, when can I order them?",
        "Let me know once the large planter can be bought again.",
        "Is the corner sofa coming back or is it discontinued?",
    ),
    "payment declined": (
        "Checkout fails with 'payment not authorized' on two of my cards.",
        "My Visa is refused although there is enough money on it.",
        "I get an error at the payment step, the bank says it is your side.",
        "Paying does not work, the transaction is rejected every time.",
    ),
    "unsubscribe": (
        "Take me off your mailing list.",
        "I get three newsletters a week from you and want none of them.",
        "How do I opt out of your marketing messages?",
        "No more advertising mail to this address, thank you.",
    ),
}

UNKNOWN: tuple[str, ...] = (
    "Are you hiring carpenters for the workshop in the north?",
    "What will the weather be like in the mountains on Saturday?",
    "Can dogs come into the showroom?",
    "Please explain how photosynthesis works.",
    "Our football team lost again and the coach has to go.",
    "Is the varnish on the children's chair free of solvents?",
    "Book me a table for two at eight tonight.",
    "I am writing a thesis on timber prices, may I interview someone?",
    "How many calories are in a bowl of lentil soup?",
    "Do you sponsor local school events?",
    "The train to the airport leaves every twenty minutes.",
    "What time does the shop at the harbor close on Sundays?",
    "Translate 'good morning' into Portuguese.",
    "My neighbor plays the drums at midnight.",
    "Which forests does your wood come from?",
    "Remind me to water the plants tomorrow.",
    "Can I rent chairs for a wedding of two hundred guests?",
    "The patient complains of a headache and a stiff neck.",
    "Who composed the music for that film?",
    "Do you have a loyalty program for architects?",
    "The engine makes a knocking noise when it is cold.",
    "asdf qwer zxcv",
    "I loved the staff in your store, just wanted to say thanks!",
    "Turn the volume down a bit.",
)
