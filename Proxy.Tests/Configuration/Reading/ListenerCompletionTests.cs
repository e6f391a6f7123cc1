using TorBalancer.Configuration;

namespace TorBalancer.Tests.Configuration.Reading;

public class ListenerCompletionTests
{
    private const string Conf = "[Listener:a]\nAuth = required\nUsersFile = /users\n";

    [Test]
    public void UsersFile_lines_and_comments()
    {
        var result = Load("# people\r\n\r\n ann:one, two \r\nbob:x:y\r\n");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Listeners[0].Users,
            Is.EquivalentTo(new Dictionary<string, string> { ["ann"] = "one, two", ["bob"] = "x:y" }));
    }

    [Test]
    public void UsersFile_and_users_together()
    {
        var files = new FakeFiles { Texts = { ["/users"] = "ann:one" } };

        var users = Loading.Text(Conf + "Users = bob:two", files).Options.Listeners[0].Users;

        Assert.That(users.Keys, Is.EquivalentTo(new[] { "ann", "bob" }));
    }

    [Test]
    public void UsersFile_missing_is_one_error() =>
        Assert.That(Loading.Errors(Conf), Is.EqualTo("t.conf:3: [Listener:a] UsersFile: /users does not exist"));

    [Test]
    public void UsersFile_empty_lets_nobody_in()
    {
        var result = Load("# nobody");

        Assert.That(result.IsValid, Is.True, "else the last user of a file that changes could not be taken out");
        Assert.That(result.Options.Listeners[0].Users, Is.Empty);
        Assert.That(Loading.Join(result.Warnings), Does.Contain("there are no users in UsersFile: nobody may use this listener"));
    }

    [TestCase("s3cret", "/users:1: the line has a user without a colon and a password")]
    [TestCase("ann:ok\n:s3cret", "/users:2: the line has a user without a name")]
    [TestCase("ann:ok\nbob:", "/users:2: the line has a user without a password")]
    [TestCase("ann:ok\nann:s3cret", "/users:2: [Listener:a] has a user who is given twice")]
    public void UsersFile_mistake_names_its_line_and_no_secret(string text, string expected)
    {
        string errors = Loading.Join(Load(text).Errors);

        Assert.That(errors, Does.StartWith(expected).And.Not.Contain("s3cret"));
    }

    [Test]
    public void UsersFile_number_sign_behind_a_password_is_a_warning()
    {
        var result = Load("ann:s3cret # the admin\nbob:#x");

        Assert.That(result.IsValid, Is.True, "here it is the only way to have one");
        Assert.That(OtherWarnings(result),
            Is.EqualTo("/users:1: the # is a part of the password: here a comment is a line of its own"));
        Assert.That(result.Options.Listeners[0].Users["bob"], Is.EqualTo("#x"));
    }

    [TestCase("ann:x ; comment", ";")]
    [TestCase("ann:x // comment", "//")]
    [TestCase("ann:x -- comment", "--")]
    public void UsersFile_sign_of_a_comment_behind_a_password_is_a_warning(string line, string sign)
    {
        var result = Load(line);

        Assert.That(result.Options.Listeners[0].Users["ann"], Is.EqualTo(line[4..]));
        Assert.That(OtherWarnings(result),
            Is.EqualTo($"/users:1: the {sign} is a part of the password: here a comment is a line of its own"));
    }

    [TestCase("ann:\"s3cret\"", "has a password in quotes")]
    [TestCase("ann:\u2018s3cret\u2019", "has a password in quotes")]
    [TestCase("ann:s3\u200Bcret", "has a character that cannot be seen")]
    [TestCase("s3cret:x:1000:1000:Ann,,,:/home/ann:/bin/bash", "is a line of /etc/passwd")]
    [TestCase("s3cret:!:19000:0:99999:7:::", "is a line of /etc/passwd or /etc/shadow")]
    [TestCase("{\"ann\": \"s3cret\"}", "is written as JSON or YAML")]
    [TestCase("- ann:s3cret", "is written as JSON or YAML")]
    [TestCase("ann:s3cret\uFF0Cbob:x", "has a wide comma")]
    [TestCase("ann:$6$s3cretaa$0123456789012345678901:19000:0:99999:7:::", "is a line of /etc/passwd or /etc/shadow")]
    public void UsersFile_password_that_would_never_match_refused(string line, string what) =>
        Assert.That(Loading.Join(Load(line).Errors), Does.StartWith("/users:1: the line " + what).And.Not.Contain("s3cret"));

    [TestCase("ann:secret # x", "the # is a part of the password", null)]
    [TestCase("ann:secret // x", "the // is a part of the password", null)]
    [TestCase("ann:\"secret\"", null, "has a password in quotes")]
    [TestCase("[ann:secret]", null, "is written as JSON or YAML")]
    [TestCase("ann:secret#x", null, null)]
    public void Users_of_the_environment_are_judged_as_well(string value, string? warning, string? error)
    {
        var result = Loading.Sources("[Listener:main]\nAuth = required", new() { ["TORBALANCER_Listener__main__Users"] = value });

        Assert.That(OtherWarnings(result), warning is null ? Is.Empty : Does.Contain(warning));
        Assert.That(Loading.Join(result.Errors), error is null ? Is.Empty : Does.Contain(error).And.Not.Contain("secret\""));
    }

    [TestCase("$apr1$s3cretaa$0123456789012345678901", "$apr1$")]
    [TestCase("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "{SHA}")]
    [TestCase("{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "{SSHA}")]
    [TestCase("$1$s3cretaa$0123456789012345678901", "$1$")]
    [TestCase("$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$RdescudvJCsgt3ub", "$argon2id$")]
    [TestCase("$2x$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC", "$2x$")]
    public void UsersFile_hash_of_a_kind_that_cannot_be_verified_is_refused(string hash, string kind)
    {
        string expected = $"has a hash of kind {kind}, which cannot be verified; allowed: hashes that begin with $2y$, $2b$ or $2a$ "
            + "(bcrypt), $5$ or $6$ (SHA-2) or $y$ (yescrypt), such as `torbalancer user add` and `htpasswd -B` make, or the password "
            + "itself";
        Assert.That(Loading.Join(Load("ann:" + hash).Errors), Is.EqualTo("/users:1: the line " + expected));
        if (hash.Contains(','))
            return;
        string errors = Loading.Errors($"[Listener:a]\nAuth = required\nUsers = ann:{hash}");
        Assert.That(errors, Is.EqualTo("t.conf:3: [Listener:a] Users " + expected));
    }

    [TestCase("$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC")]
    [TestCase("$5$xDvQAqDnLkfEsU0R$r8y3xhySRML3v6zEgrVK561WIYXVGoQqXFtgWYv4VJC")]
    [TestCase("$5$rounds=20000$xDvQAqDnLkfEsU0R$r8y3xhySRML3v6zEgrVK561WIYXVGoQqXFtgWYv4VJC")]
    [TestCase("$6$sJHGC2k3I.XdQ40u$bahPrzVAmWCbN5Rehx0p4w.kflMlkVF72OGGBA4vdExEn2jBQ6R5hl4Rb/6oGRyAi3GlX6AWWccUutBXmXgj70")]
    [TestCase("$y$j9T$jX/abyCNFa5grtSdKCdb4/$BSliBfgAeSC70LI6Ds47JIFfiCnKPz.hzeJ4bAWfGV6")]
    public void Hash_that_is_verified_is_taken_without_a_warning_and_one_that_is_cut_off_is_not(string hash)
    {
        foreach (var result in (ConfigurationResult[])
            [Load("ann:" + hash), Loading.Text($"[Listener:a]\nAuth = required\nUsers = ann:{hash}")])
        {
            Assert.That(Loading.Join(result.Errors), Is.Empty);
            Assert.That(Loading.Join(result.Warnings), Is.Empty);
            Assert.That(result.Options.Listeners[0].Users["ann"], Is.EqualTo(hash));
        }

        string kind = hash[..(hash.IndexOf('$', 1) + 1)];
        Assert.That(
            Loading.Join(Load("ann:" + hash[..^1]).Errors),
            Does.StartWith($"/users:1: the line has a hash of kind {kind} that is damaged or cut off; allowed: "));
    }

    [TestCase("ann:s3cret", "the password is")]
    [TestCase("ann:s3cret\nbob:s3cret", "2 of 2 passwords are")]
    [TestCase("ann:s3cret\nbob:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC", "1 of 2 passwords is")]
    public void Password_in_plain_text_is_a_warning_that_names_none(string text, string what) => Assert.Multiple(() =>
    {
        string warning = $"{what} in plain text; `torbalancer user add` writes hashes to a UsersFile";
        Assert.That(Loading.Join(Load(text).Warnings), Is.EqualTo("/users: " + warning));
        string users = text.Replace('\n', ',');
        Assert.That(
            Loading.Join(Loading.Text($"[Listener:a]\nAuth = required\nUsers = {users}").Warnings),
            Is.EqualTo("t.conf:3: [Listener:a] Users: " + warning));
    });

    [Test]
    public void UsersFile_too_long_for_the_protocol_refused()
    {
        Assert.That(Load("ann:" + new string('x', 255)).IsValid, Is.True);
        Assert.That(Loading.Join(Load("ann:" + new string('x', 256)).Errors), Does.Contain("more than 255 bytes"));
    }

    [TestCase(UnixFileMode.UserRead | UnixFileMode.GroupRead, false)]
    [TestCase(UnixFileMode.UserRead | UnixFileMode.OtherRead, true)]
    public void UsersFile_readable_by_all_is_a_warning(UnixFileMode mode, bool warns)
    {
        var files = new FakeFiles { Texts = { ["/users"] = "ann:one" }, Modes = { ["/users"] = mode } };

        var result = Loading.Text(Conf, files);

        Assert.That(result.IsValid, Is.True);
        Assert.That(OtherWarnings(result),
            Is.EqualTo(warns ? "/users: holds passwords, but every user of this machine can read it; chmod o-r is advised" : ""));
    }

    [TestCase("[Worker:a]\nControlPort = 9051\nControlPassword = p", true)]
    [TestCase("[Listener:a]\nAuth = required\nUsers = a:b", true)]
    [TestCase("[Worker:a]\nControlPort = 9051", false)]
    public void Conf_with_secrets_readable_by_all_is_a_warning(string text, bool warns)
    {
        var files = new FakeFiles { Texts = { ["/x.conf"] = text }, Modes = { ["/x.conf"] = UnixFileMode.OtherRead } };

        var result = Loading.Sources(files: files, path: "/x.conf");

        Assert.That(OtherWarnings(result),
            Is.EqualTo(warns ? "/x.conf: holds passwords, but every user of this machine can read it; chmod o-r is advised" : ""));
    }

    /// <summary>Passwords with the signs of comments stay possible: without white space in front of them, or in double quotes.</summary>
    [TestCase("ann:a#b;c", "a#b;c")]
    [TestCase("\"ann:a # b ; c\"", "a # b ; c")]
    [TestCase("\"ann:'x'\" ; the admin", "'x'")]
    [TestCase("\"ann:'p w'\"", "'p w'")]
    [TestCase("\"ann:{x}, bob:y\"", "{x}")]
    [TestCase("\"ann:a // b -- c /* d\"", "a // b -- c /* d")]
    [TestCase("ann:a//b--c/*d", "a//b--c/*d")]
    [TestCase("ann:{x", "{x")]
    [TestCase("ann:it's\"so", "it's\"so")]
    [TestCase("ann:a:b", "a:b")]
    [TestCase("\"ann:back\\\"", "back\\")]
    public void Users_passwords_with_signs_are_kept(string users, string password)
    {
        var result = Loading.Text($"[Listener:a]\nAuth = required\nUsers = {users}");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Listeners.Single().Users["ann"], Is.EqualTo(password));
    }

    /// <summary>But that they are in plain text, which is said of all of these.</summary>
    private static string OtherWarnings(ConfigurationResult result) =>
        Loading.Join([.. result.Warnings.Where(static one => !one.Message.Contains(" in plain text; ", StringComparison.Ordinal))]);

    private static ConfigurationResult Load(string users) => Loading.Text(Conf, new FakeFiles { Texts = { ["/users"] = users } });
}
