"""Documents that are labelled good or junk by where they come from, and how well filters tell them apart.

Good are manuals, papers' sources, specifications, licences, essays, classics, descriptions and changelogs of packages
of Debian, PyPI and npm. Junk is packed code and indexes of such packages, logs, spam, spun texts, and what grammars
make. No two splits have a package or a generator of junk in common:

    junk            training                      validation                    test
    packed code     jquery, bootstrap, d3 ...     angularjs, three, vue ...     select2, openlayers, lodash ...
    indexes         Sphinx, gtk-doc, RDoc         Javadoc, Haddock, Doxygen     Texinfo, QDoc
    spun texts      synonyms of MyThes, Cilin;    English to French and back,   English to German and back, Chinese
                    words moved, or drawn         or to Chinese, word by word   words of one meaning in CC-CEDICT
    grammars        junk/training.yaml            junk/validation.yaml          junk/test.yaml
    others' makers  none                          none                          bsgen, nabg, chinesegen and another
    real ones       none                          logs of fail2ban              mails of SpamAssassin's corpus

Training teaches. Validation is what everything was chosen by: features, penalties, what is taught, thresholds. The test
was made before the classifier that it measures and measured once; nothing was changed for what it showed. What was the
test of an earlier classifier, and had been looked at, is now validation. The three grammars are by the same hand.
"""
