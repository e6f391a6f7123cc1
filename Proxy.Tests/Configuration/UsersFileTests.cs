using TorBalancer.Configuration;

namespace TorBalancer.Tests.Configuration;

public class UsersFileTests
{
    private const string Conf = "[Listener:a]\nAuth = required\nUsersFile = /users\n";

    [Test]
    public void UsersFile_lines_and_comments()
    {
        var result = Load("# people\r\n\r\n ann:one, two \r\nbob:x:y\r\n");

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Listeners[0].Users, Is.EquivalentTo(new Dictionary<string, string> { ["ann"] = "one, two", ["bob"] = "x:y" }));
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
    public void UsersFile_empty_gives_no_users() =>
        Assert.That(Loading.Join(Load("# nobody").Errors), Does.StartWith("t.conf:2: [Listener:a] Auth = required, but there are no users"));

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
        Assert.That(Loading.Join(result.Warnings), Is.EqualTo("/users:1: the # is a part of the password: here a comment is a line of its own"));
        Assert.That(result.Options.Listeners[0].Users["bob"], Is.EqualTo("#x"));
    }

    [TestCase("ann:$apr1$s3cretaa$0123456789012345678901")]
    [TestCase("ann:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC")]
    [TestCase("ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=")]
    public void UsersFile_hash_refused(string line) => Assert.That(Loading.Join(Load(line).Errors), Is.EqualTo("/users:1: the line has a hash where the password belongs; passwords are compared as they are written here; allowed: name:password, one per line, # for comments"));

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
        Assert.That(Loading.Join(result.Warnings), Is.EqualTo(warns ? "/users: holds passwords, but every user of this machine can read it; chmod o-r is advised" : ""));
    }

    [TestCase("[Worker:a]\nControlPort = 9051\nControlPassword = p", true)]
    [TestCase("[Listener:a]\nAuth = required\nUsers = a:b", true)]
    [TestCase("[Worker:a]\nControlPort = 9051", false)]
    public void Conf_with_secrets_readable_by_all_is_a_warning(string text, bool warns)
    {
        var files = new FakeFiles { Texts = { ["/x.conf"] = text }, Modes = { ["/x.conf"] = UnixFileMode.OtherRead } };

        var result = Loading.Sources(files: files, path: "/x.conf");

        Assert.That(Loading.Join(result.Warnings), Is.EqualTo(warns ? "/x.conf: holds passwords, but every user of this machine can read it; chmod o-r is advised" : ""));
    }

    private static ConfigurationResult Load(string users) => Loading.Text(Conf, new FakeFiles { Texts = { ["/users"] = users } });
}
