import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/**
 * An adapter for Provost. interpreters/EXEC.md says what comes in and what goes out.
 *
 * Put your reader in place of `read`, which knows None, bools, ints, strings, tuples and lists.
 */
public class Adapter {
    static final String DECLARATION = "{\"exec\":1,\"name\":\"mine\",\"version\":\"0.1\",\"pythons\":[\"3.11\"],"
        + "\"owes\":[\"accept\",\"refuse\",\"consumed\",\"value\"]}";

    /** What the reader does not claim to know. */
    static class Unsupported extends RuntimeException {
        Unsupported(String what) {
            super(what);
        }
    }

    /** Appends the value, as EXEC.md writes it. */
    static void read(ByteBuffer data, StringBuilder out) throws CharacterCodingException {
        byte code = data.get();
        switch (code) {
            case 'N' -> out.append("null");
            case 'T' -> out.append("true");
            case 'F' -> out.append("false");
            case 'i' -> out.append("{\"int\":\"").append(data.getInt()).append("\"}");
            case 'u' -> out.append(quoted(text(data, data.getInt())));
            case '(', '[' -> {
                int size = data.getInt();
                if (size < 0) {
                    throw new IllegalArgumentException("the size is negative");
                }
                out.append(code == '(' ? "{\"tuple\":[" : "{\"list\":[");
                for (int index = 0; index < size; index++) {
                    out.append(index > 0 ? "," : "");
                    read(data, out);
                }
                out.append("]}");
            }
            default -> throw new Unsupported("the type byte " + code);
        }
    }

    static String text(ByteBuffer data, int size) throws CharacterCodingException {
        if (size < 0 || size > data.remaining()) {
            throw new BufferUnderflowException();
        }
        ByteBuffer bytes = data.slice(data.position(), size);
        data.position(data.position() + size);
        return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    }

    /** A text as a string of JSON. */
    static String quoted(String text) {
        StringBuilder json = new StringBuilder("\"");
        text.chars().forEach(unit -> json.append(String.format("\\u%04x", unit)));
        return json.append('"').toString();
    }

    static String answer(String line) {
        String data = field(line, "data");
        if (data == null) {
            return DECLARATION;
        }
        String id = "{\"id\":" + field(line, "id") + ",";
        ByteBuffer stream = ByteBuffer.wrap(HexFormat.of().parseHex(data)).order(ByteOrder.LITTLE_ENDIAN);
        StringBuilder value = new StringBuilder();
        try {
            read(stream, value);
            return id + "\"value\":" + value + ",\"consumed\":" + stream.position() + "}";
        } catch (Unsupported e) {
            return id + "\"unsupported\":" + quoted(e.getMessage()) + "}";
        } catch (Exception e) {
            return id + "\"error\":" + quoted(String.valueOf(e.getMessage())) + "}";
        }
    }

    /** A field of a request: requests have neither spaces nor escapes. */
    static String field(String line, String name) {
        int at = line.indexOf("\"" + name + "\":");
        return at < 0 ? null : line.substring(at + name.length() + 3).split("[,}]")[0].replace("\"", "");
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        PrintStream out = System.out;
        for (String line; (line = in.readLine()) != null; ) {
            out.println(answer(line));
            out.flush();
        }
    }
}
